#pragma once

#include <cstdint>

#include "backend/target.h"

// What Winograd's variant of Strassen's product needs of its right side.
namespace deeper::backend::strassen {

// Quarters of a matrix [pair][channel]; the channels of a pair are adjacent.
struct Quarters {
  const float* lower_even = nullptr;  // lower channels of even pixels
  const float* lower_odd = nullptr;
  const float* upper_even = nullptr;
  const float* upper_odd = nullptr;
};

// For one pair, `channels` each:
//   to[0] = lower_odd - lower_even, to[1] = upper_odd - to[0], to[2] = upper_odd - lower_odd, to[3] = to[1] -
//   upper_even
// with `step` floats from to[i] to to[i + 1].
using SumQuarters = void (*)(const Quarters& from, std::int64_t channels, float* to, std::int64_t step);
SumQuarters sum_quarters(Isa isa);

}  // namespace deeper::backend::strassen
