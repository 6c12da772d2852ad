#pragma once

#include "runtime/kernel.h"

// What the convolution kernels make sure of before they trust a step, which may come from a damaged plan: that its
// tuning is one they could have chosen, and that packed weights, bias and scratch are as large as they will read.
namespace deeper::backend {

// Throw ModelError.
void check_amx(const runtime::Step& step, int threads);
void check_brgemm(const runtime::Step& step);
void check_direct(const runtime::Step& step, int threads);
void check_strassen(const runtime::Step& step, int threads);
void check_winograd(const runtime::Step& step, int threads);

}  // namespace deeper::backend
