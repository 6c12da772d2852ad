#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/accuracy.h"
#include "backend/kernels/fraction.h"

// Cook-Toom (Winograd) minimal filtering: m outputs of a correlation with r taps by n = m + r - 1 multiplications,
//   y = A^T [ (G g) * (B^T d) ],  y[i] = sum over k of g[k] d[i + k],
// from n - 1 distinct finite points and the point at infinity (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks"; Blahut, "Fast Algorithms for Signal Processing", chapter 5). Nested along both axes of an image for
// 2-D.
namespace deeper::backend {

inline constexpr int kMaxPoints = 12;  // n, infinity included

using FractionMatrix = std::array<std::array<Fraction, kMaxPoints>, kMaxPoints>;
using Matrix = std::array<std::array<double, kMaxPoints>, kMaxPoints>;

// The three matrices; entries beyond the sizes given are zero.
template <typename M>
struct BasicTransform {
  int outputs = 1;  // m
  int taps = 1;     // r
  int points = 1;   // n
  M output{};       // A^T [m, n]
  M weights{};      // G [n, r]
  M input{};        // B^T [n, n]; every row has leading coefficient 1, what that leaves out is in G
};
using ExactTransform = BasicTransform<FractionMatrix>;
using Transform = BasicTransform<Matrix>;

// One row of the table: F(outputs, taps) on its finite points. The error of both uses, as a multiple of direct fp32's
// own (ReLU inputs, 192 channels along one axis, 96 channels along two).
struct CookToom {
  int outputs = 1;
  int taps = 1;
  std::array<Fraction, kMaxPoints - 1> finite_points{};
  double error_1d = 1;
  double error_2d = 1;

  constexpr int points() const { return outputs + taps - 1; }
};

namespace detail {
using Polynomial = std::array<Fraction, kMaxPoints>;

// Zeros written out: gcc 14 lets a constant expression spoil the initial values that others of the type start from.
constexpr void clear(FractionMatrix& matrix) {
  for (auto& row : matrix) {
    for (Fraction& element : row) element = 0;
  }
}

constexpr Polynomial constant(Fraction value) {
  Polynomial result{};
  for (Fraction& coefficient : result) coefficient = 0;
  result[0] = value;
  return result;
}

// p(x) (x - root)
constexpr Polynomial times_root(const Polynomial& p, Fraction root) {
  Polynomial result{};
  for (int i = 0; i < kMaxPoints; ++i) {
    result[i] = -root * p[i] + (i > 0 ? p[i - 1] : Fraction());
  }
  return result;
}

constexpr Fraction power(Fraction base, int exponent) {
  Fraction result = 1;
  for (int i = 0; i < exponent; ++i) result = result * base;
  return result;
}
}  // namespace detail

// F(m, r) on `finite_points`, of which the first m + r - 2 count and must be distinct.
constexpr ExactTransform make_exact_transform(int m, int r, std::span<const Fraction> finite_points) {
  ExactTransform t;
  t.outputs = m;
  t.taps = r;
  t.points = m + r - 1;
  detail::clear(t.output);
  detail::clear(t.weights);
  detail::clear(t.input);
  const int finite = t.points - 1;
  detail::Polynomial all = detail::constant(1);
  for (int i = 0; i < finite; ++i) {
    const Fraction point = finite_points[i];
    detail::Polynomial others = detail::constant(1);
    Fraction scale = 1;
    for (int j = 0; j < finite; ++j) {
      if (j == i) continue;
      others = detail::times_root(others, finite_points[j]);
      scale = scale * (point - finite_points[j]);
    }
    t.input[i] = others;
    for (int k = 0; k < r; ++k) t.weights[i][k] = detail::power(point, k) / scale;
    for (int k = 0; k < m; ++k) t.output[k][i] = detail::power(point, k);
    all = detail::times_root(all, point);
  }
  t.input[finite] = all;
  t.weights[finite][r - 1] = 1;
  t.output[m - 1][finite] = 1;
  return t;
}

// The same rounded to double.
constexpr Transform round_transform(const ExactTransform& exact) {
  Transform t;
  t.outputs = exact.outputs;
  t.taps = exact.taps;
  t.points = exact.points;
  for (int i = 0; i < kMaxPoints; ++i) {
    for (int j = 0; j < kMaxPoints; ++j) {
      t.output[i][j] = exact.output[i][j].value();
      t.weights[i][j] = exact.weights[i][j].value();
      t.input[i][j] = exact.input[i][j].value();
    }
  }
  return t;
}

constexpr Transform make_transform(const CookToom& algorithm) {
  return round_transform(make_exact_transform(algorithm.outputs, algorithm.taps, algorithm.finite_points));
}

namespace detail {
// Appends +-p for each p; the two of a pair stand side by side, so that transforms can share their even and odd halves.
template <std::size_t N>
constexpr std::array<Fraction, kMaxPoints - 1> points_with_zero(const std::array<Fraction, N>& positive, bool zero) {
  std::array<Fraction, kMaxPoints - 1> result{};
  std::size_t count = 0;
  for (const Fraction& p : positive) {
    result[count++] = p;
    result[count++] = -p;
  }
  if (zero) result[count++] = 0;
  return result;
}

template <typename... P>
constexpr auto zero_and_pairs(P... p) {
  return points_with_zero(std::array<Fraction, sizeof...(P)>{Fraction(p)...}, true);
}
template <typename... P>
constexpr auto pairs(P... p) {
  return points_with_zero(std::array<Fraction, sizeof...(P)>{Fraction(p)...}, false);
}
}  // namespace detail

// THE table. F(1, 1) is the axis that a 1-D algorithm leaves alone.
inline constexpr std::array kCookToom{
    CookToom{1, 1, {}, 1.0, 1.0},
    CookToom{2, 2, detail::pairs(1), 1.0, 1.0},
    CookToom{3, 2, detail::zero_and_pairs(1), 1.0, 1.1},
    CookToom{4, 2, detail::pairs(Fraction(1, 2), Fraction(4, 3)), 1.5, 1.9},
    CookToom{2, 3, detail::zero_and_pairs(1), 1.0, 0.8},
    CookToom{3, 3, detail::pairs(Fraction(1, 2), Fraction(4, 3)), 1.2, 1.3},
    CookToom{4, 3, detail::zero_and_pairs(Fraction(2, 3), Fraction(3, 2)), 1.5, 2.1},
    CookToom{5, 3, detail::pairs(Fraction(1, 4), Fraction(7, 8), Fraction(9, 5)), 2.2, 4.2},
    CookToom{6, 3, detail::zero_and_pairs(1, 2, Fraction(1, 2)), 3.2, 8.7},
    CookToom{2, 4, detail::pairs(Fraction(1, 2), Fraction(4, 3)), 1.1, 1.6},
    CookToom{3, 4, detail::zero_and_pairs(Fraction(2, 3), Fraction(3, 2)), 1.3, 2.2},
    CookToom{4, 4, detail::pairs(Fraction(1, 4), Fraction(5, 6), Fraction(9, 5)), 2.0, 4.3},
    CookToom{2, 5, detail::zero_and_pairs(Fraction(2, 3), Fraction(3, 2)), 1.3, 1.5},
    CookToom{3, 5, detail::pairs(Fraction(1, 4), Fraction(5, 6), Fraction(9, 5)), 1.8, 2.6},
    CookToom{4, 5, detail::zero_and_pairs(1, 2, Fraction(1, 2)), 2.4, 4.8},
    CookToom{2, 7, detail::zero_and_pairs(1, 2, Fraction(1, 2)), 2.3, 9.0},
    CookToom{3, 7, detail::pairs(Fraction(1, 5), Fraction(2, 3), Fraction(9, 8), Fraction(11, 5)), 3.3, 12.0},
    CookToom{4, 7, detail::zero_and_pairs(Fraction(2, 5), Fraction(4, 5), Fraction(5, 4), Fraction(12, 5)), 4.0, 16.0},
    CookToom{6, 7, detail::zero_and_pairs(Fraction(1, 3), Fraction(2, 3), 1, Fraction(3, 2), Fraction(23, 8)), 11.0,
             60.0},
};
inline constexpr int kCookToomCount = static_cast<int>(kCookToom.size());

// Row number of F(m, r), or -1.
constexpr int find_cooktoom(int outputs, int taps) {
  for (int i = 0; i < kCookToomCount; ++i) {
    if (kCookToom[i].outputs == outputs && kCookToom[i].taps == taps) return i;
  }
  return -1;
}

// The error of rows y and x nested, as a multiple of direct fp32's own: each contributes the root of its own along
// both.
double nested_error(const CookToom& y, const CookToom& x);
// True where nesting rows y and x keeps to `accuracy`.
bool is_accurate(const CookToom& y, const CookToom& x, Accuracy accuracy);

// "F(4x4,3x3)", "F(4,7)" along one axis.
std::string to_string(const CookToom& y, const CookToom& x);

// Weights of `count` pairs of channels at once, in double: taps[(k * x.taps + l) * count + i], row by row of the
// window, to frequencies[(p * x.points + q) * count + i].
void transform_weights(const Transform& y, const Transform& x, std::int64_t count, const double* taps,
                       double* frequencies);

}  // namespace deeper::backend
