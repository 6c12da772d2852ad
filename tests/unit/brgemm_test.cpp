#include "backend/kernels/brgemm.h"

#include <gtest/gtest.h>

#include "tests/unit/conv_case.h"

namespace deeper::backend {
namespace {

using testing::CaseOptions;
using testing::ConvCase;
using testing::target_of;

void expect_right(const ConvShape& shape, const CaseOptions& options, std::mt19937& random, int threads) {
  const ConvCase c = testing::make_case(shape, options, random);
  const std::vector<double> want = testing::reference(c);
  for (const Isa isa : testing::vector_isas()) {
    Target target = target_of(isa);
    target.threads = threads;
    const auto candidates = testing::kernel_named(brgemm::kName).candidates(c.shape, target, Accuracy::safe);
    ASSERT_FALSE(candidates.empty());
    for (const ConvCandidate& candidate : candidates) {
      const std::vector<float> got = testing::run_kernel(testing::kernel_named(brgemm::kName), candidate, c, threads);
      EXPECT_LT(testing::relative_l2(got, want), 2e-6) << testing::describe(c.shape) << " slices " << options.slices
                                                       << " threads " << threads << " isa " << static_cast<int>(isa);
    }
  }
}

ConvShape random_shape(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<std::int64_t> values) { return testing::pick(random, values); };
  ir::Conv op;
  ir::Extent2 kernel;
  ir::Extent2 input;
  op.groups = pick({1, 1, 1, 1, 2, 4});
  for (int axis = 0; axis < 2; ++axis) {
    kernel[axis] = pick({1, 1, 2, 3, 3, 5, 7});
    op.strides[axis] = pick({1, 1, 1, 2, 3});
    op.dilations[axis] = pick({1, 1, 1, 2});
    const std::int64_t window = (kernel[axis] - 1) * op.dilations[axis] + 1;
    op.pads[axis] = pick({0, 0, window / 2, window / 2, window + 1});
    op.pads[axis + 2] = pick({0, op.pads[axis], op.pads[axis], window / 2, window + 1});
    input[axis] = pick({1, 2, 5, 7, 8, 13, 17, 35});
    if (input[axis] + op.pads[axis] + op.pads[axis + 2] < window) op.pads[axis] += window;
  }
  op.activation = testing::random_activation(random);
  const std::int64_t inputs = op.groups * pick({1, 3, 4, 8, 17, 24, 64, 100});
  const std::int64_t outputs = op.groups * pick({1, 5, 8, 16, 24, 37, 64, 80, 96});
  ConvShape shape = dense_conv_shape(pick({1, 1, 2}), inputs, input, outputs, kernel, op);
  testing::add_random_epilogue(shape, random);
  return shape;
}

TEST(Brgemm, AgreesWithTheOracleOnRandomShapes) {
  std::mt19937 random(1);
  for (int i = 0; i < 250; ++i) {
    const ConvShape shape = random_shape(random);
    if (multiply_adds(shape) > 20'000'000) continue;
    expect_right(shape, {.slices = random() % 2 == 0}, random, 1 + static_cast<int>(random() % 3));
    if (HasFatalFailure()) return;
  }
}

TEST(Brgemm, CoversTheFamilysWindows) {
  std::mt19937 random(2);
  const auto check = [&](std::int64_t in, ir::Extent2 input, std::int64_t out, ir::Extent2 kernel, std::int64_t stride,
                         ir::Pads pads) {
    ir::Conv op{.strides = {stride, stride}, .pads = pads, .activation = {.function = ir::Function::relu}};
    ConvShape shape = dense_conv_shape(1, in, input, out, kernel, op);
    shape.has_bias = true;
    expect_right(shape, {.slices = true, .relu_inputs = true}, random, 2);
  };
  check(3, {33, 31}, 64, {7, 7}, 2, {3, 3, 3, 3});
  check(3, {29, 29}, 32, {3, 3}, 2, {0, 0, 0, 0});
  check(192, {17, 17}, 192, {1, 7}, 1, {0, 3, 0, 3});
  check(192, {17, 17}, 192, {7, 1}, 1, {3, 0, 3, 0});
  check(1280, {8, 8}, 320, {1, 1}, 1, {0, 0, 0, 0});
  check(448, {8, 8}, 384, {3, 3}, 1, {1, 1, 1, 1});
  check(384, {8, 8}, 384, {3, 1}, 1, {1, 0, 1, 0});
  check(288, {17, 17}, 100, {3, 3}, 2, {0, 0, 0, 0});
}

TEST(Brgemm, StemOnADenseImage) {
  std::mt19937 random(3);
  for (const std::int64_t pad : {0, 3}) {
    ir::Conv op{.strides = {2, 2}, .pads = {pad, pad, pad, pad}};
    expect_right(dense_conv_shape(2, 3, {40, 37}, 64, {7, 7}, op), {}, random, 3);
  }
}

TEST(Brgemm, PacksInBlocksOfOutputChannels) {
  const ConvShape shape = dense_conv_shape(1, 2, {4, 4}, 40, {1, 3}, {});
  const auto blocks = brgemm::choose(shape, target_of(Isa::avx2));
  std::vector<float> weights(40 * 2 * 3);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i);
  const auto packed = brgemm::pack_weights(shape, blocks, weights);
  EXPECT_EQ(packed[0], 0.0F);
  EXPECT_EQ(packed[1], 6.0F);  // the next output channel of the block
  EXPECT_EQ(brgemm::tuning_from(brgemm::to_numbers(blocks)), blocks);
}

TEST(Brgemm, LeavesOtherActivationsToOthers) {
  ConvShape shape = dense_conv_shape(1, 8, {4, 4}, 8, {1, 1}, {});
  EXPECT_TRUE(brgemm::applies(shape, {}));
  EXPECT_FALSE(brgemm::applies(shape, target_of(Isa::sse41)));
  shape.op.activation.function = ir::Function::sigmoid;
  EXPECT_FALSE(brgemm::applies(shape, {}));
}

}  // namespace
}  // namespace deeper::backend
