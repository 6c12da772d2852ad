#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "unit/ir_evaluate_support.h"

namespace deeper::ir {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Typed kGrid = f32({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

TEST(EvaluatePool, TakesTheMaximum) {
  EXPECT_THAT(numbers(Pool{.kernel = {2, 2}}, {kGrid}), ElementsAre(5, 6, 8, 9));
  EXPECT_THAT(numbers(Pool{.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}}, {kGrid}),
              ElementsAre(5, 6, 8, 9));
  EXPECT_THAT(numbers(Pool{.kernel = {2, 2}, .dilations = {2, 2}}, {kGrid}), ElementsAre(9));
}

TEST(EvaluatePool, PaddingNeverWins) {
  const Pool op{.kernel = {2, 2}, .strides = {2, 2}, .pads = {1, 1, 0, 0}};
  EXPECT_THAT(numbers(op, {f32({1, 1, 2, 2}, {-1, -2, -3, -4})}), ElementsAre(-1));
  EXPECT_THAT(numbers(op, {f32({1, 1, 3, 3}, {-1, -2, -3, -4, -5, -6, -7, -8, -9})}), ElementsAre(-1, -2, -4, -5));
  EXPECT_THAT(numbers(op, {f32({1, 1, 1, 1}, {-kInfinity})}), ElementsAre(-kInfinity));
}

TEST(EvaluatePool, AveragesRealCellsOrThePaddingToo) {
  Pool op{.kind = PoolKind::average, .kernel = {2, 2}, .strides = {2, 2}, .pads = {1, 1, 0, 0}};
  EXPECT_THAT(numbers(op, {kGrid}), ElementsAre(1, 2.5, 5.5, 7));
  op.count_include_pad = true;
  EXPECT_THAT(numbers(op, {kGrid}), ElementsAre(0.25, 1.25, 2.75, 7));
}

TEST(EvaluatePool, NeverCountsTheCellsOfCeilMode) {
  Pool op{.kind = PoolKind::average, .kernel = {2, 2}, .strides = {2, 2}, .ceil_mode = true};
  EXPECT_THAT(numbers(op, {kGrid}), ElementsAre(3, 4.5, 7.5, 9));
  op.count_include_pad = true;
  EXPECT_THAT(numbers(op, {kGrid}), ElementsAre(3, 4.5, 7.5, 9));
  op.pads = {0, 0, 1, 1};
  EXPECT_THAT(numbers(op, {kGrid}), ElementsAre(3, 2.25, 3.75, 2.25));
  const Pool wide{.kind = PoolKind::average,
                  .kernel = {1, 3},
                  .strides = {1, 2},
                  .pads = {0, 1, 0, 1},
                  .ceil_mode = true,
                  .count_include_pad = true};
  // Padded: 0 1 2 3 4 0, and one phantom cell that the last window reaches.
  EXPECT_THAT(numbers(wide, {f32({1, 1, 1, 4}, {1, 2, 3, 4})}), ElementsAre(1, 3, 2));
}

TEST(EvaluatePool, CeilModeLeavesOutAWindowBeyondTheInput) {
  const Pool op{.kernel = {1, 1}, .strides = {2, 2}, .ceil_mode = true};
  EXPECT_EQ(run(op, {f32({1, 1, 2, 2}, {1, 2, 3, 4})}).data, (std::vector<double>{1}));
  const Pool wide{.kernel = {3, 3}, .strides = {2, 2}, .ceil_mode = true};
  EXPECT_THAT(numbers(wide, {f32({1, 1, 4, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})}),
              ElementsAre(11, 12, 15, 16));
}

TEST(EvaluatePool, KeepsNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(numbers(Pool{.kernel = {1, 3}}, {f32({1, 1, 1, 3}, {1, nan, 2})})[0]));
}

TEST(EvaluateReduce, ReducesAxes) {
  const Typed x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::sum, .axes = {0}}, {x}), ElementsAre(5, 7, 9));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::mean, .axes = {1}}, {x}), ElementsAre(2, 5));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::max, .axes = {0, 1}}, {x}), ElementsAre(6));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::min, .axes = {1}}, {x}), ElementsAre(1, 4));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::prod, .axes = {1}}, {x}), ElementsAre(6, 120));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::sum}, {x}), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(EvaluateReduce, KeepsOrDropsAxesAndTypes) {
  const Typed x = f32({2, 1, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run(Reduce{.kind = ReduceKind::mean, .axes = {0, 2}}, {x}).shape, (Shape{1, 1, 1}));
  EXPECT_EQ(run(Reduce{.kind = ReduceKind::mean, .axes = {0, 2}, .keepdims = false}, {x}).shape, (Shape{1}));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::mean, .axes = {0}}, {i64({2}, {-1, -2})}), ElementsAre(-1));
  EXPECT_THAT(numbers(Reduce{.kind = ReduceKind::prod}, {f32({}, {4})}), ElementsAre(4));
}

TEST(EvaluateLrn, DividesByTheNeighboursSquares) {
  const Lrn op{.size = 3, .alpha = 3, .beta = 1, .bias = 1};
  EXPECT_THAT(numbers(op, {f32({1, 4, 1, 1}, {1, 2, 3, 4})}),
              ElementsAre(1.0 / 6, DoubleEq(2.0 / 15), DoubleEq(3.0 / 30), DoubleEq(4.0 / 26)));
  // An even size reaches one further up than down.
  const Lrn even{.size = 2, .alpha = 2, .beta = 0.5, .bias = 0};
  EXPECT_THAT(numbers(even, {f32({1, 3, 1}, {3, 4, 12})}),
              ElementsAre(DoubleEq(0.6), DoubleEq(4 / std::sqrt(160.0)), DoubleEq(1)));
}

TEST(EvaluateSoftmax, RunsAlongOneAxis) {
  const double e = std::exp(1.0);
  EXPECT_THAT(numbers(Softmax{.axis = 1}, {f32({1, 3}, {1, 0, 1})}),
              ElementsAre(DoubleEq(e / (2 * e + 1)), DoubleEq(1 / (2 * e + 1)), DoubleEq(e / (2 * e + 1))));
  EXPECT_THAT(numbers(Softmax{.axis = 0}, {f32({2, 2}, {0, 5, 0, 5})}), ElementsAre(0.5, 0.5, 0.5, 0.5));
  EXPECT_THAT(numbers(Softmax{.axis = 0}, {f32({2}, {1000, 1000})}), ElementsAre(0.5, 0.5));
}

TEST(EvaluateSoftmax, GivesLogarithms) {
  EXPECT_THAT(numbers(Softmax{.axis = 1, .log = true}, {f32({1, 2}, {3, 3})}),
              ElementsAre(DoubleEq(-std::log(2.0)), DoubleEq(-std::log(2.0))));
  EXPECT_THAT(numbers(Softmax{.axis = 0, .log = true}, {f32({2}, {-2000, 0})}),
              ElementsAre(-2000, DoubleNear(0, 1e-15)));
}

}  // namespace
}  // namespace deeper::ir
