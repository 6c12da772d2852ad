#pragma once

#include <string>

#include "runtime/plan.h"

namespace deeper::backend {

// Bytes the plan's weights would take as the model has them: what its packed and transformed ones compare with.
std::uint64_t plain_weights_bytes(const runtime::Plan& plan);

// A plan as text: a header with its inputs, outputs and sizes, then one line per step: number, kernel, implementation,
// shapes, where the result lies ("arena+4096", "output 0"; "/288" behind a shape is the pixel stride of a channel
// slice), bytes, multiply-adds and name. The same plan gives the same text.
std::string dump_plan(const runtime::Plan& plan);

}  // namespace deeper::backend
