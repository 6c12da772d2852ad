#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "unit/ir_evaluate_support.h"

namespace deeper::ir {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> unary(Function function, std::vector<double> x, float alpha, float beta) {
  const auto count = static_cast<std::int64_t>(x.size());
  return numbers(Unary{.function = {function, alpha, beta}}, {f32({count}, std::move(x))});
}

std::vector<double> unary(Function function, std::vector<double> x) { return unary(function, std::move(x), 0, 0); }

std::vector<double> binary(BinaryFunction function, std::vector<double> x, std::vector<double> y) {
  const auto count = static_cast<std::int64_t>(x.size());
  return numbers(Binary{.function = function}, {f32({count}, std::move(x)), f32({count}, std::move(y))});
}

std::vector<double> integers(BinaryFunction function, std::vector<double> x, std::vector<double> y) {
  const auto count = static_cast<std::int64_t>(x.size());
  return numbers(Binary{.function = function}, {i64({count}, std::move(x)), i64({count}, std::move(y))});
}

TEST(EvaluateUnary, Functions) {
  EXPECT_THAT(unary(Function::identity, {-1, 2}), ElementsAre(-1, 2));
  EXPECT_THAT(unary(Function::relu, {-1, 2}), ElementsAre(0, 2));
  EXPECT_THAT(unary(Function::leaky_relu, {-2, 2}, 0.25F, 0), ElementsAre(-0.5, 2));
  EXPECT_THAT(unary(Function::clip, {-1, 3, 9}, 0, 6), ElementsAre(0, 3, 6));
  EXPECT_THAT(unary(Function::clip, {-1, 3, 9}, 5, 2), ElementsAre(2, 2, 2));
  EXPECT_THAT(unary(Function::sigmoid, {0, std::log(3.0)}), ElementsAre(0.5, DoubleEq(0.75)));
  EXPECT_THAT(unary(Function::tanh, {0, 0.5 * std::log(3.0)}), ElementsAre(0, DoubleEq(0.5)));
  EXPECT_THAT(unary(Function::hard_sigmoid, {-8, 1, 8}, 0.25F, 0.5F), ElementsAre(0, 0.75, 1));
  EXPECT_THAT(unary(Function::abs, {-3, 2}), ElementsAre(3, 2));
  EXPECT_THAT(unary(Function::neg, {-3, 2}), ElementsAre(3, -2));
  EXPECT_THAT(unary(Function::sqrt, {9, 2.25}), ElementsAre(3, 1.5));
  EXPECT_THAT(unary(Function::exp, {0, 1}), ElementsAre(1, DoubleEq(std::exp(1.0))));
  EXPECT_THAT(unary(Function::log, {1, std::exp(2.0)}), ElementsAre(0, DoubleEq(2)));
  EXPECT_THAT(unary(Function::reciprocal, {4, -0.5}), ElementsAre(0.25, -2));
  EXPECT_THAT(unary(Function::floor, {1.5, -1.5}), ElementsAre(1, -2));
  EXPECT_THAT(unary(Function::ceil, {1.5, -1.5}), ElementsAre(2, -1));
  EXPECT_THAT(unary(Function::round, {0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6}), ElementsAre(0, 2, 2, -0.0, -2, 2, 3));
  EXPECT_THAT(unary(Function::sign, {-3, 0, 0.1}), ElementsAre(-1, 0, 1));
  EXPECT_THAT(numbers(Unary{.function = {Function::logical_not, 0, 0}}, {boolean({2}, {0, 1})}), ElementsAre(1, 0));
}

TEST(EvaluateUnary, KeepsNaN) {
  for (const Function function : {Function::relu, Function::clip, Function::sign, Function::leaky_relu}) {
    EXPECT_TRUE(std::isnan(unary(function, {kNan}, -1, 1)[0]));
  }
}

TEST(EvaluateBinary, Functions) {
  EXPECT_THAT(binary(BinaryFunction::add, {1, 2}, {3, -4}), ElementsAre(4, -2));
  EXPECT_THAT(binary(BinaryFunction::sub, {1, 2}, {3, -4}), ElementsAre(-2, 6));
  EXPECT_THAT(binary(BinaryFunction::mul, {1, 2}, {3, -4}), ElementsAre(3, -8));
  EXPECT_THAT(binary(BinaryFunction::div, {1, -7}, {4, 2}), ElementsAre(0.25, -3.5));
  EXPECT_THAT(binary(BinaryFunction::pow, {3, 4}, {2, 0.5}), ElementsAre(9, 2));
  EXPECT_THAT(binary(BinaryFunction::max, {1, 2}, {3, -4}), ElementsAre(3, 2));
  EXPECT_THAT(binary(BinaryFunction::min, {1, 2}, {3, -4}), ElementsAre(1, -4));
  EXPECT_THAT(binary(BinaryFunction::prelu, {-2, 2}, {0.5, 0.5}), ElementsAre(-1, 2));
  EXPECT_THAT(binary(BinaryFunction::mod, {5.5, -5.5}, {2, 2}), ElementsAre(1.5, -1.5));
  EXPECT_THAT(binary(BinaryFunction::equal, {1, 2}, {1, 3}), ElementsAre(1, 0));
  EXPECT_THAT(binary(BinaryFunction::less, {1, 2}, {1, 3}), ElementsAre(0, 1));
  EXPECT_THAT(binary(BinaryFunction::less_equal, {1, 4}, {1, 3}), ElementsAre(1, 0));
  EXPECT_THAT(binary(BinaryFunction::greater, {1, 4}, {1, 3}), ElementsAre(0, 1));
  EXPECT_THAT(binary(BinaryFunction::greater_equal, {1, 2}, {1, 3}), ElementsAre(1, 0));
  const Typed x = boolean({4}, {0, 0, 1, 1});
  const Typed y = boolean({4}, {0, 1, 0, 1});
  EXPECT_THAT(numbers(Binary{.function = BinaryFunction::logical_and}, {x, y}), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(numbers(Binary{.function = BinaryFunction::logical_or}, {x, y}), ElementsAre(0, 1, 1, 1));
}

TEST(EvaluateBinary, MaxAndMinKeepNaN) {
  for (const BinaryFunction function : {BinaryFunction::max, BinaryFunction::min}) {
    EXPECT_TRUE(std::isnan(binary(function, {kNan}, {1})[0]));
    EXPECT_TRUE(std::isnan(binary(function, {1}, {kNan})[0]));
  }
}

TEST(EvaluateBinary, Integers) {
  EXPECT_THAT(integers(BinaryFunction::div, {7, -7, 7, -7}, {2, 2, -2, -2}), ElementsAre(3, -3, -3, 3));
  EXPECT_THAT(integers(BinaryFunction::mod, {7, -7, 7, -7}, {3, 3, -3, -3}), ElementsAre(1, 2, -2, -1));
  EXPECT_THAT(integers(BinaryFunction::pow, {2, 3}, {10, 2}), ElementsAre(1024, 9));
  EXPECT_THAT([] { integers(BinaryFunction::div, {1}, {0}); },
              ThrowsMessage<ModelError>(HasSubstr("node 'y' (Binary): an integer is divided by zero")));
  EXPECT_THROW(integers(BinaryFunction::mod, {1}, {0}), ModelError);
  const Typed byte = {DataType::u8, {{2}, {200, 3}}};
  EXPECT_THAT(numbers(Binary{}, {byte, byte}), ElementsAre(144, 6));
  const Typed small = {DataType::i8, {{1}, {-100}}};
  EXPECT_THAT(numbers(Binary{}, {small, small}), ElementsAre(56));
}

TEST(EvaluateBinary, Broadcasts) {
  const Array y = run(Binary{}, {f32({2, 1, 2}, {1, 2, 3, 4}), f32({3, 1}, {10, 20, 30})});
  EXPECT_EQ(y.shape, (Shape{2, 3, 2}));
  EXPECT_THAT(y.data, ElementsAre(11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34));
  EXPECT_THAT(numbers(Binary{}, {f32({}, {1}), f32({}, {2})}), ElementsAre(3));
  EXPECT_THAT(numbers(Binary{}, {f32({2}, {1, 2}), f32({}, {2})}), ElementsAre(3, 4));
  EXPECT_TRUE(numbers(Binary{}, {f32({0, 2}, {}), f32({2}, {1, 2})}).empty());
}

TEST(EvaluateBatchNorm, Normalizes) {
  const Typed x = f32({1, 2, 1, 2}, {1, 3, 5, 7});
  const Typed scale = f32({2}, {2, 1});
  const Typed bias = f32({2}, {0, 10});
  const Typed mean = f32({2}, {1, 5});
  const Typed variance = f32({2}, {3, 0});
  EXPECT_THAT(numbers(BatchNorm{.epsilon = 1}, {x, scale, bias, mean, variance}), ElementsAre(0, 2, 10, 12));
  EXPECT_THAT(numbers(BatchNorm{.epsilon = 1}, {f32({2, 2}, {1, 3, 5, 7}), scale, bias, mean, variance}),
              ElementsAre(0, 8, 4, 12));
}

TEST(EvaluateWhere, Chooses) {
  EXPECT_THAT(numbers(Where{}, {boolean({2}, {1, 0}), f32({2}, {1, 2}), f32({2}, {3, 4})}), ElementsAre(1, 4));
  EXPECT_THAT(numbers(Where{}, {boolean({2, 1}, {1, 0}), f32({2}, {1, 2}), f32({}, {9})}), ElementsAre(1, 2, 9, 9));
}

TEST(EvaluateExpand, Repeats) {
  EXPECT_THAT(numbers(Expand{.shape = {2, 2}}, {f32({2, 1}, {1, 2})}), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(numbers(Expand{.shape = {2, 2}}, {f32({}, {3})}), ElementsAre(3, 3, 3, 3));
  EXPECT_TRUE(numbers(Expand{.shape = {0}}, {f32({}, {3})}).empty());
}

TEST(EvaluateCast, TruncatesAndWraps) {
  const Typed x = f32({6}, {1.9, -1.9, 300.5, -1, 0, 128});
  EXPECT_THAT(numbers(Cast{.to = DataType::i64}, {x}), ElementsAre(1, -1, 300, -1, 0, 128));
  EXPECT_THAT(numbers(Cast{.to = DataType::u8}, {x}), ElementsAre(1, 255, 44, 255, 0, 128));
  EXPECT_THAT(numbers(Cast{.to = DataType::i8}, {x}), ElementsAre(1, -1, 44, -1, 0, -128));
  EXPECT_THAT(numbers(Cast{.to = DataType::boolean}, {x}), ElementsAre(1, 1, 1, 1, 0, 1));
  EXPECT_THAT(numbers(Cast{.to = DataType::i32}, {i64({1}, {4294967297})}), ElementsAre(1));
  EXPECT_THAT(numbers(Cast{.to = DataType::f32}, {i64({1}, {-3})}), ElementsAre(-3));
  EXPECT_THAT(numbers(Cast{.to = DataType::i64}, {f32({3}, {1e300, -1e300, kNan})}), ElementsAre(0x1p63, -0x1p63, 0));
}

TEST(EvaluateIdentity, Copies) {
  EXPECT_THAT(numbers(Identity{}, {f32({2}, {1, 2})}), ElementsAre(1, 2));
  EXPECT_THAT(numbers(Identity{}, {i64({}, {7})}), ElementsAre(7));
}

}  // namespace
}  // namespace deeper::ir
