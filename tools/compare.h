#pragma once

#include <span>

namespace deeper::tools {

// How far `got` is from `expected`: the L2 norm of the difference over that of `expected` (over 1 where that is 0).
// Infinite where one has a NaN the other lacks.
double relative_l2(std::span<const double> got, std::span<const double> expected);

}  // namespace deeper::tools
