#include "backend/kernels/cooktoom.h"

#include <fmt/format.h>

namespace deeper::backend {

bool is_accurate(const CookToom& y, const CookToom& x, Accuracy accuracy) {
  if (accuracy == Accuracy::fast) return true;
  constexpr double kSafe = 4.0;
  if (y.taps == 1) return x.error_1d <= kSafe;
  if (x.taps == 1) return y.error_1d <= kSafe;
  return std::max(y.error_2d, x.error_2d) <= kSafe;
}

std::string to_string(const CookToom& y, const CookToom& x) {
  if (y.taps == 1) return fmt::format("F({},{})", x.outputs, x.taps);
  if (x.taps == 1) return fmt::format("F({},{})", y.outputs, y.taps);
  return fmt::format("F({}x{},{}x{})", y.outputs, x.outputs, y.taps, x.taps);
}

void transform_weights(const Transform& y, const Transform& x, const float* taps, std::int64_t row_stride,
                       std::int64_t column_stride, double* frequencies) {
  Matrix rows{};
  for (int k = 0; k < y.taps; ++k) {
    for (int j = 0; j < x.points; ++j) {
      for (int l = 0; l < x.taps; ++l) {
        rows[k][j] += x.weights[j][l] * static_cast<double>(taps[k * row_stride + l * column_stride]);
      }
    }
  }
  for (int i = 0; i < y.points; ++i) {
    for (int j = 0; j < x.points; ++j) {
      double sum = 0;
      for (int k = 0; k < y.taps; ++k) sum += y.weights[i][k] * rows[k][j];
      frequencies[i * x.points + j] = sum;
    }
  }
}

}  // namespace deeper::backend
