#include "backend/kernels/direct.h"

#include <gtest/gtest.h>

#include "backend/kernels/product.h"
#include "tests/unit/conv_case.h"

namespace deeper::backend {
namespace {

using testing::target_of;

void expect_right(const ConvShape& shape, bool slices, std::mt19937& random, int threads, std::int64_t l2_bytes) {
  testing::expect_right(direct::kName, shape, slices, random, threads, l2_bytes);
}

ConvShape random_shape(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<std::int64_t> values) { return testing::pick(random, values); };
  ir::Conv op;
  ir::Extent2 kernel;
  ir::Extent2 input;
  const bool few_channels = random() % 2 == 0;
  for (int axis = 0; axis < 2; ++axis) {
    kernel[axis] = pick({1, 1, 2, 3, 5, 7});
    op.strides[axis] = pick({1, 1, 2, 3});
    op.dilations[axis] = pick({1, 1, 2});
    const std::int64_t window = (kernel[axis] - 1) * op.dilations[axis] + 1;
    if (few_channels) {
      op.pads[axis] = pick({0, window / 2, window + 1});
      op.pads[axis + 2] = pick({0, op.pads[axis], window + 1});
    }
    input[axis] = std::max(window, pick({1, 2, 5, 8, 17, 35}));
  }
  op.activation = testing::random_activation(random);
  const std::int64_t inputs = few_channels ? pick({1, 3, 4, 8}) : pick({5, 16, 37, 96, 130});
  ConvShape shape = dense_conv_shape(pick({1, 1, 2}), inputs, input, pick({8, 16, 24, 32, 48, 80}), kernel, op);
  testing::add_random_epilogue(shape, random);
  return shape;
}

TEST(Direct, AgreesWithTheOracleOnRandomShapes) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const ConvShape shape = random_shape(random);
    if (multiply_adds(shape) > 20'000'000) continue;
    const bool slices = random() % 2 == 0;
    const int threads = 1 + static_cast<int>(random() % 3);
    expect_right(shape, slices, random, threads, random() % 2 == 0 ? 512 << 10 : 4 << 10);
  }
}

TEST(Direct, DeepProductsOfFewPixels) {
  std::mt19937 random(3);
  for (const std::int64_t inputs : {420, 1000}) {
    for (const std::int64_t extent : {1, 7}) {
      for (const bool in_place : {false, true}) {
        ConvShape shape = dense_conv_shape(1, inputs, {extent, extent}, 104, {1, 1}, {});
        shape.op.activation = {.function = ir::Function::relu};
        shape.has_bias = shape.has_residual = true;
        shape.residual_in_place = in_place;
        expect_right(shape, true, random, 2, 512 << 10);
      }
    }
  }
}

TEST(Direct, Stems) {
  std::mt19937 random(2);
  for (const std::int64_t pad : {0, 3}) {
    ir::Conv op{.strides = {2, 2}, .pads = {pad, pad, pad, pad}};
    expect_right(dense_conv_shape(2, 3, {40, 37}, 64, {7, 7}, op), false, random, 3, 16 << 10);
  }
}

TEST(Direct, AppliesWithoutPaddingOrToFewChannels) {
  const Target target = target_of(Isa::avx2, 1);
  const ir::Conv padded{.pads = {1, 1, 1, 1}};
  EXPECT_TRUE(direct::applies(dense_conv_shape(1, 64, {8, 8}, 64, {3, 3}, {}), target));
  EXPECT_FALSE(direct::applies(dense_conv_shape(1, 64, {8, 8}, 64, {3, 3}, padded), target));
  EXPECT_TRUE(direct::applies(dense_conv_shape(1, 3, {8, 8}, 64, {3, 3}, padded), target));
  EXPECT_FALSE(direct::applies(dense_conv_shape(1, 64, {8, 8}, 63, {1, 1}, {}), target));
  EXPECT_FALSE(direct::applies(dense_conv_shape(1, 64, {8, 8}, 64, {1, 1}, {}), target_of(Isa::sse41, 1)));
}

TEST(Product, PartsOfADepthAreShortAndEqual) {
  for (std::int64_t depth = 1; depth < 2000; ++depth) {
    for (const std::int64_t rows : {8, 16, 64}) {
      const std::int64_t part = part_of_depth(rows, depth, 300);
      const std::int64_t count = (depth + part - 1) / part;
      EXPECT_LE(part, rows == 64 ? 96 : 300) << depth;
      EXPECT_EQ(part % 4, 0) << depth;
      EXPECT_LT(part * count - depth, 4 * count) << depth;
    }
  }
}

TEST(Product, HasKernelsForEverySlice) {
  for (const Isa isa : testing::vector_isas()) {
    const ProductKernels& kernels = product_kernels(isa);
    for (const std::int64_t depth : {16, 1000}) {
      for (std::int64_t rows = 1; rows < 300; ++rows) {
        std::int64_t sum = 0;
        for (const std::int64_t slice : product_slices(rows, depth, isa)) {
          ASSERT_EQ(slice % kernels.lanes, 0);
          ASSERT_GT(kernels.most_columns[slice / kernels.lanes - 1], 0) << slice;
          sum += slice;
        }
        ASSERT_EQ(sum, (rows + kernels.lanes - 1) / kernels.lanes * kernels.lanes);
      }
    }
  }
}

TEST(Product, MultipliesAnyNumberOfColumns) {
  for (const Isa isa : testing::vector_isas()) {
    const ProductKernels& kernels = product_kernels(isa);
    for (std::int64_t vectors = 1; vectors <= kMostVectors; ++vectors) {
      if (kernels.most_columns[vectors - 1] == 0) continue;
      const std::int64_t rows = vectors * kernels.lanes;
      for (std::int64_t columns = 1; columns < 60; ++columns) {
        const std::int64_t depth = std::array{7, 130, 200}[columns % 3];
        std::vector<float> a(rows * depth);
        std::vector<float> b(columns * depth);
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 5) - 2;
        for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 3;
        std::vector<float> c(rows * columns, -1.0F);
        multiply(
            kernels, divide_products(kernels, columns, depth, columns % 2 == 0 ? 96 : depth),
            {.rows = rows, .a = a.data(), .b = b.data(), .ldb = depth, .c = c.data(), .ldc = rows, .depth = depth});
        for (std::int64_t j = 0; j < columns; ++j) {
          for (std::int64_t i = 0; i < rows; ++i) {
            float want = 0;
            for (std::int64_t k = 0; k < depth; ++k) want += a[k * rows + i] * b[j * depth + k];
            ASSERT_EQ(c[j * rows + i], want) << rows << "x" << columns;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace deeper::backend
