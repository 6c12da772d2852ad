#include "backend/kernels/strassen.h"

#include <gtest/gtest.h>

#include "tests/unit/conv_case.h"

namespace deeper::backend {
namespace {

using testing::target_of;

void expect_right(const ConvShape& shape, bool slices, std::mt19937& random, int threads, std::int64_t l2_bytes) {
  testing::expect_right(strassen::kName, shape, slices, random, threads, l2_bytes);
}

ConvShape random_shape(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<std::int64_t> values) { return testing::pick(random, values); };
  ir::Conv op;
  op.activation = testing::random_activation(random);
  ConvShape shape =
      dense_conv_shape(pick({1, 1, 2}), pick({32, 34, 50, 96, 130, 416}), {pick({1, 2, 7, 8, 17}), pick({2, 3, 7, 14})},
                       pick({16, 24, 32, 40, 48, 72, 96, 104, 176, 200}), {1, 1}, op);
  testing::add_random_epilogue(shape, random);
  return shape;
}

TEST(Strassen, AgreesWithTheOracleOnRandomShapes) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const ConvShape shape = random_shape(random);
    const bool slices = random() % 2 == 0;
    const int threads = 1 + static_cast<int>(random() % 3);
    expect_right(shape, slices, random, threads, random() % 2 == 0 ? 512 << 10 : 4 << 10);
  }
}

TEST(Strassen, DeepProductsAndManyPixels) {
  std::mt19937 random(2);
  for (const std::int64_t inputs : {256, 1000}) {
    for (const std::int64_t extent : {5, 17}) {
      for (const bool in_place : {false, true}) {
        ConvShape shape = dense_conv_shape(1, inputs, {extent, extent}, 136, {1, 1}, {});
        shape.op.activation = {.function = ir::Function::relu};
        shape.has_bias = shape.has_residual = true;
        shape.residual_in_place = in_place;
        expect_right(shape, true, random, 2, 512 << 10);
      }
    }
  }
}

TEST(Strassen, AppliesToOneByOneWindowsOfEnoughChannels) {
  const Target target = target_of(Isa::avx2, 1);
  EXPECT_TRUE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 64, {1, 1}, {}), target));
  EXPECT_TRUE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 72, {1, 1}, {}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 65, {8, 8}, 64, {1, 1}, {}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 68, {1, 1}, {}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 8, {1, 1}, {}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 64, {3, 3}, {}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 64, {1, 1}, {.strides = {2, 2}}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 64, {1, 1}, 64, {1, 1}, {}), target));
  EXPECT_FALSE(strassen::applies(dense_conv_shape(1, 64, {8, 8}, 64, {1, 1}, {}), target_of(Isa::sse41, 1)));
}

TEST(Strassen, WeightsAreSevenEighthsOfTwiceTheQuartersAndThoseLeftOver) {
  const Target target = target_of(Isa::avx2, 1);
  const ConvShape shape = dense_conv_shape(1, 64, {8, 8}, 72, {1, 1}, {});
  EXPECT_EQ(strassen::weights_bytes(shape, strassen::choose(shape, target).front()), 4 * (7 * 32 * 32 + 64 * 8));
}

}  // namespace
}  // namespace deeper::backend
