#include "backend/kernels/cooktoom.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace deeper::backend {
namespace {

TEST(Fraction, StaysInLowestTerms) {
  static_assert(Fraction(6, -4) == Fraction(-3, 2));
  static_assert(Fraction(1, 6) + Fraction(1, 3) == Fraction(1, 2));
  static_assert(Fraction(2, 3) * Fraction(9, 4) == Fraction(3, 2));
  static_assert(Fraction(2, 3) / Fraction(-4, 9) == Fraction(-3, 2));
  static_assert((Fraction(1, 3) - Fraction(1, 3)).is_zero());
}

// y[i] = sum_k g[k] d[i+k] is bilinear, so the identity holds for all g and d where it holds for all unit vectors.
TEST(CookToom, EveryRowIsExact) {
  for (const CookToom& row : kCookToom) {
    const ExactTransform t = make_exact_transform(row.outputs, row.taps, row.finite_points);
    for (int i = 0; i < t.outputs; ++i) {
      for (int k = 0; k < t.taps; ++k) {
        for (int j = 0; j < t.points; ++j) {
          Fraction sum;
          for (int p = 0; p < t.points; ++p) sum = sum + t.output[i][p] * t.weights[p][k] * t.input[p][j];
          EXPECT_EQ(sum, Fraction(j == i + k ? 1 : 0)) << to_string(kCookToom[0], row) << " " << i << k << j;
        }
      }
    }
  }
}

TEST(CookToom, TwoTwoThreeIsTheTextbooks) {
  const Transform t = make_transform(kCookToom[find_cooktoom(2, 3)]);
  EXPECT_EQ(t.points, 4);
  EXPECT_EQ(t.weights[0][1], 0.5);
  EXPECT_EQ(t.input[0][1], 1.0);
  EXPECT_EQ(t.input[0][2], 1.0);
  EXPECT_EQ(t.output[1][3], 1.0);
}

std::vector<float> relu_inputs(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) v = std::max(0.0F, normal(random));
  return values;
}

// Relative L2 error against double of one output tile of F(y, x) over `channels`, in fp32 but for the weights, which
// are transformed in double and rounded once; and of the direct sum in fp32.
struct Errors {
  double squared = 0;
  double direct_squared = 0;
  double norm = 0;
};

void one_tile(const Transform& y, const Transform& x, int channels, std::mt19937& random, Errors& errors) {
  std::normal_distribution<float> normal(0, std::sqrt(2.0F / static_cast<float>(channels * y.taps * x.taps)));
  const int points = y.points * x.points;
  std::vector<float> products(points, 0.0F);
  const int outputs = y.outputs * x.outputs;
  std::vector<double> exact(outputs, 0.0);
  std::vector<float> direct(outputs, 0.0F);
  std::vector<float> taps(y.taps * x.taps);
  std::vector<double> taps_in_double(taps.size());
  std::vector<double> frequencies(points);
  for (int c = 0; c < channels; ++c) {
    const std::vector<float> d = relu_inputs(random, points);
    for (float& w : taps) w = normal(random);
    taps_in_double.assign(taps.begin(), taps.end());
    transform_weights(y, x, 1, taps_in_double.data(), frequencies.data());
    std::vector<float> half(points, 0.0F);
    for (int i = 0; i < y.points; ++i)
      for (int j = 0; j < x.points; ++j)
        for (int k = 0; k < x.points; ++k)
          half[i * x.points + j] += static_cast<float>(x.input[j][k]) * d[i * x.points + k];
    for (int i = 0; i < y.points; ++i)
      for (int j = 0; j < x.points; ++j) {
        float v = 0;
        for (int k = 0; k < y.points; ++k) v += static_cast<float>(y.input[i][k]) * half[k * x.points + j];
        products[i * x.points + j] += static_cast<float>(frequencies[i * x.points + j]) * v;
      }
    for (int i = 0; i < y.outputs; ++i)
      for (int j = 0; j < x.outputs; ++j)
        for (int k = 0; k < y.taps; ++k)
          for (int l = 0; l < x.taps; ++l) {
            const float input = d[(i + k) * x.points + j + l];
            direct[i * x.outputs + j] += input * taps[k * x.taps + l];
            exact[i * x.outputs + j] += static_cast<double>(input) * static_cast<double>(taps[k * x.taps + l]);
          }
  }
  for (int i = 0; i < y.outputs; ++i)
    for (int j = 0; j < x.outputs; ++j) {
      float value = 0;
      for (int k = 0; k < x.points; ++k) {
        float column = 0;
        for (int l = 0; l < y.points; ++l) column += static_cast<float>(y.output[i][l]) * products[l * x.points + k];
        value += static_cast<float>(x.output[j][k]) * column;
      }
      const double want = exact[i * x.outputs + j];
      errors.squared += std::pow(static_cast<double>(value) - want, 2);
      errors.direct_squared += std::pow(static_cast<double>(direct[i * x.outputs + j]) - want, 2);
      errors.norm += want * want;
    }
}

double relative_error(const CookToom& y, const CookToom& x, int channels) {
  std::mt19937 random(7);
  Errors errors;
  for (int tile = 0; tile < 300; ++tile) one_tile(make_transform(y), make_transform(x), channels, random, errors);
  return std::sqrt(errors.squared / errors.norm);
}

// performance.md's table: relative L2 of the algorithm as a whole.
TEST(CookToom, ErrorIsWhatTheTableSays) {
  struct Row {
    int outputs, taps, axes;
    double relative;
  };
  for (const Row& row : {Row{2, 3, 2, 2.8e-7}, Row{4, 3, 2, 7.4e-7}, Row{6, 3, 2, 3.1e-6}, Row{2, 5, 2, 9.3e-7},
                         Row{3, 5, 2, 1.4e-6}, Row{4, 5, 2, 3.0e-6}, Row{2, 7, 1, 1.1e-6}, Row{3, 7, 1, 1.4e-6},
                         Row{4, 7, 1, 1.9e-6}, Row{6, 7, 1, 5.1e-6}, Row{4, 3, 1, 4.6e-7}}) {
    const CookToom& x = kCookToom[find_cooktoom(row.outputs, row.taps)];
    const CookToom& y = row.axes == 2 ? x : kCookToom[0];
    const double error = relative_error(y, x, row.axes == 2 ? 96 : 192);
    EXPECT_LT(error, 1.5 * row.relative) << to_string(y, x);
    EXPECT_GT(error, 0.4 * row.relative) << to_string(y, x);
  }
}

TEST(CookToom, SafeMeansWithinFourTimesDirect) {
  const CookToom& one = kCookToom[0];
  EXPECT_TRUE(is_accurate(one, kCookToom[find_cooktoom(4, 7)], Accuracy::safe));
  EXPECT_FALSE(is_accurate(one, kCookToom[find_cooktoom(6, 7)], Accuracy::safe));
  EXPECT_TRUE(is_accurate(one, kCookToom[find_cooktoom(6, 7)], Accuracy::fast));
  const CookToom& six = kCookToom[find_cooktoom(6, 3)];
  EXPECT_TRUE(is_accurate(one, six, Accuracy::safe));
  EXPECT_FALSE(is_accurate(six, six, Accuracy::safe));
  const CookToom& five = kCookToom[find_cooktoom(5, 3)];
  EXPECT_FALSE(is_accurate(five, five, Accuracy::safe));
  EXPECT_TRUE(is_accurate(five, kCookToom[find_cooktoom(4, 3)], Accuracy::safe));
  EXPECT_EQ(to_string(six, six), "F(6x6,3x3)");
  EXPECT_EQ(to_string(six, one), "F(6,3)");
}

}  // namespace
}  // namespace deeper::backend
