#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "unit/ir_evaluate_support.h"

namespace deeper::ir {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pointwise;
using ::testing::ThrowsMessage;

const Typed kMatrix = f32({2, 3}, {1, 2, 3, 4, 5, 6});

TEST(EvaluateConcat, Joins) {
  EXPECT_THAT(numbers(Concat{.axis = 1}, {kMatrix, f32({2, 1}, {7, 8})}), ElementsAre(1, 2, 3, 7, 4, 5, 6, 8));
  EXPECT_THAT(numbers(Concat{.axis = 0}, {kMatrix, f32({1, 3}, {7, 8, 9})}), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(numbers(Concat{.axis = 0}, {i64({0}, {}), i64({1}, {4}), i64({2}, {5, 6})}), ElementsAre(4, 5, 6));
}

TEST(EvaluateSlice, TakesElements) {
  EXPECT_THAT(numbers(Slice{.starts = {0, 1}, .steps = {1, 1}, .shape = {2, 2}}, {kMatrix}), ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(numbers(Slice{.starts = {1, 2}, .steps = {-1, -2}, .shape = {2, 2}}, {kMatrix}), ElementsAre(6, 4, 3, 1));
  EXPECT_TRUE(numbers(Slice{.starts = {5, 0}, .steps = {1, 1}, .shape = {0, 3}}, {kMatrix}).empty());
}

TEST(EvaluateReshape, KeepsTheOrder) {
  const Array y = run(Reshape{.shape = {3, 2}}, {kMatrix});
  EXPECT_EQ(y.shape, (Shape{3, 2}));
  EXPECT_THAT(y.data, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(run(Reshape{.shape = {}}, {f32({1, 1}, {4})}).shape, Shape{});
}

TEST(EvaluateTranspose, PermutesAxes) {
  EXPECT_THAT(numbers(Transpose{.perm = {1, 0}}, {kMatrix}), ElementsAre(1, 4, 2, 5, 3, 6));
  const Array y = run(Transpose{.perm = {2, 0, 1}}, {f32({2, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})});
  EXPECT_EQ(y.shape, (Shape{3, 2, 2}));
  EXPECT_THAT(y.data, ElementsAre(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11));
  EXPECT_THAT(numbers(Transpose{}, {f32({}, {4})}), ElementsAre(4));
}

TEST(EvaluatePad, AddsAndCrops) {
  EXPECT_THAT(numbers(Pad{.begins = {0, 1}, .ends = {1, 0}, .value = 9}, {kMatrix}),
              ElementsAre(9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9));
  EXPECT_THAT(numbers(Pad{.begins = {0, -1}, .ends = {0, 1}}, {kMatrix}), ElementsAre(2, 3, 0, 5, 6, 0));
  EXPECT_THAT(numbers(Pad{.begins = {1}, .ends = {1}, .value = -2.5F}, {i64({1}, {7})}), ElementsAre(-2, 7, -2));
}

TEST(EvaluatePad, ReflectsAndRepeatsEdges) {
  const Typed row = f32({3}, {1, 2, 3});
  EXPECT_THAT(numbers(Pad{.mode = PadMode::reflect, .begins = {2}, .ends = {1}}, {row}), ElementsAre(3, 2, 1, 2, 3, 2));
  EXPECT_THAT(numbers(Pad{.mode = PadMode::edge, .begins = {2}, .ends = {4}}, {row}),
              ElementsAre(1, 1, 1, 2, 3, 3, 3, 3, 3));
  EXPECT_THAT(numbers(Pad{.mode = PadMode::reflect, .begins = {1, 1}, .ends = {0, 0}}, {kMatrix}),
              ElementsAre(5, 4, 5, 6, 2, 1, 2, 3, 5, 4, 5, 6));
  EXPECT_THROW(numbers(Pad{.mode = PadMode::edge, .begins = {1}, .ends = {0}}, {f32({0}, {})}), ModelError);
}

TEST(EvaluateGather, PicksByIndex) {
  EXPECT_THAT(numbers(Gather{.axis = 0}, {kMatrix, i64({2}, {1, -2})}), ElementsAre(4, 5, 6, 1, 2, 3));
  const Array y = run(Gather{.axis = 1}, {kMatrix, i64({1, 2}, {2, 0})});
  EXPECT_EQ(y.shape, (Shape{2, 1, 2}));
  EXPECT_THAT(y.data, ElementsAre(3, 1, 6, 4));
  EXPECT_EQ(run(Gather{.axis = 0}, {kMatrix, i64({}, {0})}).shape, (Shape{3}));
  EXPECT_THAT(
      [] {
        numbers(Gather{.axis = 0}, {kMatrix, i64({}, {2})});
      },
      ThrowsMessage<ModelError>(HasSubstr("node 'y' (Gather): index 2 is outside an axis of 2 elements")));
  EXPECT_THROW(numbers(Gather{.axis = 0}, {kMatrix, i64({}, {-3})}), ModelError);
}

Resize row_resize(ResizeMode mode, Coordinates coordinates, float scale, std::int64_t out) {
  return {.mode = mode, .coordinates = coordinates, .scales = {scale}, .shape = {out}};
}

TEST(EvaluateResize, Nearest) {
  const Typed row = f32({2}, {1, 2});
  EXPECT_THAT(numbers(row_resize(ResizeMode::nearest, Coordinates::asymmetric, 2, 4), {row}), ElementsAre(1, 1, 2, 2));
  Resize op = row_resize(ResizeMode::nearest, Coordinates::asymmetric, 2, 4);
  op.rounding = NearestRounding::ceil;
  EXPECT_THAT(numbers(op, {row}), ElementsAre(1, 2, 2, 2));
  op.rounding = NearestRounding::round_prefer_ceil;
  EXPECT_THAT(numbers(op, {row}), ElementsAre(1, 2, 2, 2));
  op.rounding = NearestRounding::floor;
  EXPECT_THAT(numbers(op, {row}), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(numbers(row_resize(ResizeMode::nearest, Coordinates::half_pixel, 0.5F, 2), {f32({4}, {1, 2, 3, 4})}),
              ElementsAre(1, 3));
}

// The cases of ONNX's operator tests.
TEST(EvaluateResize, Linear) {
  const Typed row = f32({4}, {1, 2, 3, 4});
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::half_pixel, 2, 4), {f32({2}, {1, 2})}),
              ElementsAre(1, 1.25, 1.75, 2));
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::half_pixel, 0.6F, 2), {row}),
              Pointwise(DoubleNear(1e-6), std::vector<double>{1.3333333, 3.0}));
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::align_corners, 2, 4), {f32({2}, {1, 2})}),
              Pointwise(DoubleNear(1e-12), std::vector<double>{1, 4.0 / 3, 5.0 / 3, 2}));
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::align_corners, 0.6F, 2), {row}),
              Pointwise(DoubleNear(1e-6), std::vector<double>{1, 3.142857}));
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::asymmetric, 2, 4), {f32({2}, {1, 2})}),
              ElementsAre(1, 1.5, 2, 2));
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::pytorch_half_pixel, 0.25F, 1), {row}),
              ElementsAre(1));
  EXPECT_THAT(numbers(row_resize(ResizeMode::linear, Coordinates::half_pixel_symmetric, 0.6F, 2), {row}),
              Pointwise(DoubleNear(1e-6), std::vector<double>{1.6666667, 3.3333333}));
}

TEST(EvaluateResize, LinearAlongTwoAxes) {
  const Resize op{.mode = ResizeMode::linear, .scales = {1, 2, 2}, .shape = {1, 4, 4}};
  EXPECT_THAT(numbers(op, {f32({1, 2, 2}, {1, 2, 3, 4})}),
              ElementsAre(1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4));
}

}  // namespace
}  // namespace deeper::ir
