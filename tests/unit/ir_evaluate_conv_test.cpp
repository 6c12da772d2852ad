#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "unit/ir_evaluate_support.h"

namespace deeper::ir {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

Typed random_array(Shape shape, std::mt19937& random) {
  std::vector<double> data(static_cast<std::size_t>(element_count(shape)));
  std::normal_distribution<double> normal;
  for (double& x : data) x = normal(random);
  return f32(std::move(shape), std::move(data));
}

// The definition, loop by loop.
std::vector<double> seven_loops(const Conv& op, const Array& x, const Array& w, const Array& bias, const Shape& out) {
  std::vector<double> result;
  const std::int64_t per_group = out[1] / op.groups;
  for (std::int64_t n = 0; n < out[0]; ++n) {
    for (std::int64_t m = 0; m < out[1]; ++m) {
      for (std::int64_t oh = 0; oh < out[2]; ++oh) {
        for (std::int64_t ow = 0; ow < out[3]; ++ow) {
          double sum = bias.data[static_cast<std::size_t>(m)];
          for (std::int64_t c = 0; c < w.shape[1]; ++c) {
            for (std::int64_t kh = 0; kh < w.shape[2]; ++kh) {
              for (std::int64_t kw = 0; kw < w.shape[3]; ++kw) {
                const std::int64_t ic = m / per_group * w.shape[1] + c;
                const std::int64_t ih = oh * op.strides[0] + kh * op.dilations[0] - op.pads[0];
                const std::int64_t iw = ow * op.strides[1] + kw * op.dilations[1] - op.pads[1];
                if (ih < 0 || ih >= x.shape[2] || iw < 0 || iw >= x.shape[3]) continue;
                sum += x.data[static_cast<std::size_t>(((n * x.shape[1] + ic) * x.shape[2] + ih) * x.shape[3] + iw)] *
                       w.data[static_cast<std::size_t>(((m * w.shape[1] + c) * w.shape[2] + kh) * w.shape[3] + kw)];
              }
            }
          }
          result.push_back(sum);
        }
      }
    }
  }
  return result;
}

TEST(EvaluateConv, AgreesWithSevenLoopsOnRandomShapes) {
  std::mt19937 random(1);
  const auto up_to = [&](std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random);
  };
  for (int i = 0; i < 150; ++i) {
    Conv op{.strides = {up_to(1, 3), up_to(1, 3)},
            .dilations = {up_to(1, 2), up_to(1, 3)},
            .pads = {up_to(0, 3), up_to(0, 3), up_to(0, 3), up_to(0, 3)},
            .groups = up_to(1, 3)};
    const std::int64_t channels = up_to(1, 5);
    const std::int64_t outputs = up_to(1, 7);
    const Extent2 kernel = {up_to(1, 4), up_to(1, 4)};
    const Typed x = random_array({up_to(1, 2), channels * op.groups, up_to(10, 14), up_to(10, 16)}, random);
    const Typed w = random_array({outputs * op.groups, channels, kernel[0], kernel[1]}, random);
    const Typed bias = random_array({outputs * op.groups}, random);
    const Array y = run_with(op, {x, w, bias}, {.precision = Precision::f64, .threads = static_cast<int>(up_to(1, 3))});
    const std::vector<double> expected = seven_loops(op, x.array, w.array, bias.array, y.shape);
    ASSERT_THAT(y.data, Pointwise(DoubleNear(1e-12), expected)) << "case " << i;
    const Array single = run_with(op, {x, w, bias}, {.precision = Precision::f32, .threads = 2});
    ASSERT_THAT(single.data, Pointwise(DoubleNear(1e-4), expected)) << "case " << i;
  }
}

TEST(EvaluateConv, SumsInTheOrderOfTheDefinitionWhateverTheThreads) {
  std::mt19937 random(2);
  const Conv op{.pads = {1, 1, 1, 1}};
  const Typed x = random_array({1, 9, 13, 11}, random);
  const Typed w = random_array({10, 9, 3, 3}, random);
  const Array one = run_with(op, {x, w}, {.precision = Precision::f32, .threads = 1});
  const Array three = run_with(op, {x, w}, {.precision = Precision::f32, .threads = 3});
  EXPECT_EQ(one.data, three.data);
}

TEST(EvaluateConv, PadsAsymmetrically) {
  const Conv op{.pads = {1, 0, 0, 1}};
  EXPECT_THAT(numbers(op, {f32({1, 1, 2, 2}, {1, 2, 3, 4}), f32({1, 1, 2, 2}, {1, 10, 100, 1000})}),
              ElementsAre(2100, 200, 4321, 402));
}

TEST(EvaluateConv, AddsBiasThenResidualThenActivates) {
  const Conv op{.activation = {Function::relu, 0, 0}};
  EXPECT_THAT(numbers(op, {f32({1, 1, 1, 2}, {1, -5}), f32({2, 1, 1, 1}, {2, 3}), f32({2}, {10, 0}),
                           f32({1, 2, 1, 2}, {1, 1, 1, 30})}),
              ElementsAre(13, 1, 4, 15));
  EXPECT_THAT(numbers(op, {f32({1, 1, 1, 2}, {1, -5}), f32({1, 1, 1, 1}, {2}), absent(), f32({1, 1, 1, 2}, {3, 4})}),
              ElementsAre(5, 0));
}

TEST(EvaluateMatMul, MultipliesMatrices) {
  const Typed a = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(numbers(MatMul{}, {a, f32({3, 2}, {1, 0, 0, 1, 1, 1})}), ElementsAre(4, 5, 10, 11));
  EXPECT_THAT(numbers(MatMul{.transpose_b = true}, {a, f32({2, 3}, {1, 0, 1, 0, 1, 1}), f32({2}, {0.5, -0.5})}),
              ElementsAre(4.5, 4.5, 10.5, 10.5));
  EXPECT_THAT(numbers(MatMul{.activation = {Function::clip, 0, 6}}, {a, f32({3, 2}, {1, 0, 0, 1, 1, 1})}),
              ElementsAre(4, 5, 6, 6));
}

TEST(EvaluateMatMul, BroadcastsBatches) {
  const Array y = run(MatMul{}, {f32({2, 1, 1, 2}, {1, 2, 3, 4}), f32({3, 2, 1}, {1, 0, 0, 1, 1, 1})});
  EXPECT_EQ(y.shape, (Shape{2, 3, 1, 1}));
  EXPECT_THAT(y.data, ElementsAre(1, 2, 3, 3, 4, 7));
}

TEST(EvaluateMatMul, AgreesWithThreeLoops) {
  std::mt19937 random(3);
  const Typed a = random_array({5, 70}, random);
  const Typed b = random_array({70, 45}, random);
  std::vector<double> expected;
  for (std::size_t m = 0; m < 5; ++m) {
    for (std::size_t n = 0; n < 45; ++n) {
      double sum = 0;
      for (std::size_t k = 0; k < 70; ++k) sum += a.array.data[m * 70 + k] * b.array.data[k * 45 + n];
      expected.push_back(sum);
    }
  }
  EXPECT_THAT(numbers(MatMul{}, {a, b}), Pointwise(DoubleNear(1e-12), expected));
}

}  // namespace
}  // namespace deeper::ir
