#include "backend/kernels/cooktoom.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

namespace deeper::backend {
namespace {

// to[i] = sum over t < terms of coefficients[t] from[t * stride + i]
void combine(const std::array<double, kMaxPoints>& coefficients, int terms, const double* from, std::int64_t stride,
             std::int64_t count, double* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = coefficients[0] * from[i];
  for (int t = 1; t < terms; ++t) {
    if (coefficients[t] == 0) continue;
    for (std::int64_t i = 0; i < count; ++i) to[i] += coefficients[t] * from[t * stride + i];
  }
}

}  // namespace

double nested_error(const CookToom& y, const CookToom& x) {
  if (y.taps == 1) return x.error_1d;
  if (x.taps == 1) return y.error_1d;
  return std::sqrt(y.error_2d * x.error_2d);
}

bool is_accurate(const CookToom& y, const CookToom& x, Accuracy accuracy) {
  constexpr double kSafe = 4.0;
  // Along two axes images of few channels see a quarter more than the table's 96 do.
  constexpr double kFewChannels = 1.25;
  const bool is_nested = y.taps > 1 && x.taps > 1;
  return accuracy == Accuracy::fast || nested_error(y, x) * (is_nested ? kFewChannels : 1) <= kSafe;
}

std::string to_string(const CookToom& y, const CookToom& x) {
  if (y.taps == 1) return fmt::format("F({},{})", x.outputs, x.taps);
  if (x.taps == 1) return fmt::format("F({},{})", y.outputs, y.taps);
  return fmt::format("F({}x{},{}x{})", y.outputs, x.outputs, y.taps, x.taps);
}

void transform_weights(const Transform& y, const Transform& x, std::int64_t count, const double* taps,
                       double* frequencies) {
  std::vector<double> rows(static_cast<std::size_t>(y.taps * x.points * count));
  for (int k = 0; k < y.taps; ++k) {
    for (int q = 0; q < x.points; ++q) {
      combine(x.weights[q], x.taps, taps + k * x.taps * count, count, count, rows.data() + (k * x.points + q) * count);
    }
  }
  for (int p = 0; p < y.points; ++p) {
    for (int q = 0; q < x.points; ++q) {
      combine(y.weights[p], y.taps, rows.data() + q * count, x.points * count, count,
              frequencies + (p * x.points + q) * count);
    }
  }
}

}  // namespace deeper::backend
