#pragma once

#include "backend/target.h"

namespace deeper::benchmarks {

// Multiply-adds of fp32 per nanosecond on this thread from registers alone: the most any convolution can do, now, with
// the vectors of `isa` (those of avx512 for amx). The best of several short runs, about 5 ms in all.
double measure_fma_rate(backend::Isa isa);

}  // namespace deeper::benchmarks
