#pragma once

#include <cstdint>

namespace deeper::backend {

// Of numbers that are not negative.
constexpr std::int64_t ceil_div(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit; }
constexpr std::int64_t round_up(std::int64_t value, std::int64_t unit) { return ceil_div(value, unit) * unit; }

}  // namespace deeper::backend
