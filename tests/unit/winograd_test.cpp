#include "backend/kernels/winograd.h"

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
    for (const Accuracy accuracy : {Accuracy::safe, Accuracy::fast}) {
      const auto candidates = testing::kernel_named("winograd").candidates(c.shape, target_of(isa, threads), accuracy);
      ASSERT_FALSE(candidates.empty()) << testing::describe(c.shape);
      for (const ConvCandidate& candidate : candidates) {
        const std::vector<float> got = testing::run_kernel(testing::kernel_named("winograd"), candidate, c, threads);
        EXPECT_LT(testing::relative_l2(got, want), accuracy == Accuracy::safe ? 4e-6 : 4e-5)
            << testing::describe(c.shape) << " " << candidate.implementation << " slices " << options.slices
            << " threads " << threads << " isa " << static_cast<int>(isa);
      }
    }
  }
}

ConvShape random_shape(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<std::int64_t> values) { return testing::pick(random, values); };
  ir::Conv op;
  ir::Extent2 input;
  const std::array<ir::Extent2, 8> kernels{{{3, 3}, {5, 5}, {1, 7}, {7, 1}, {1, 3}, {3, 1}, {3, 5}, {1, 5}}};
  const ir::Extent2 kernel = kernels[random() % kernels.size()];
  for (int axis = 0; axis < 2; ++axis) {
    op.pads[axis] = pick({0, kernel[axis] / 2, kernel[axis] / 2, 1, kernel[axis]});
    op.pads[axis + 2] = pick({0, op.pads[axis], op.pads[axis], kernel[axis]});
    input[axis] = pick({1, 2, 5, 7, 8, 13, 17});
    if (input[axis] + op.pads[axis] + op.pads[axis + 2] < kernel[axis]) op.pads[axis] += kernel[axis];
  }
  op.activation = testing::random_activation(random);
  ConvShape shape = dense_conv_shape(pick({1, 1, 2}), pick({1, 3, 8, 17, 24, 64, 100}), input,
                                     pick({1, 5, 8, 16, 24, 37, 64, 80, 96}), kernel, op);
  testing::add_random_epilogue(shape, random);
  return shape;
}

TEST(Winograd, AgreesWithTheOracleOnRandomShapes) {
  std::mt19937 random(1);
  for (int i = 0; i < 120; ++i) {
    const ConvShape shape = random_shape(random);
    if (multiply_adds(shape) > 10'000'000) continue;
    expect_right(shape, {.slices = random() % 2 == 0}, random, 1 + static_cast<int>(random() % 3));
    if (HasFatalFailure()) return;
  }
}

ConvShape same(std::int64_t in, std::int64_t extent, std::int64_t out, ir::Extent2 kernel) {
  const std::int64_t y = kernel[0] / 2;
  const std::int64_t x = kernel[1] / 2;
  ir::Conv op{.pads = {y, x, y, x}};
  return dense_conv_shape(1, in, {extent, extent}, out, kernel, op);
}

// Of each safe algorithm on random activations.
TEST(Winograd, SafeStaysNearDirect) {
  std::mt19937 random(2);
  const ConvShape halving = dense_conv_shape(1, 96, {71, 71}, 32, {3, 3}, {.strides = {2, 2}});
  const ConvShape stem = dense_conv_shape(1, 3, {112, 112}, 64, {7, 7}, {.strides = {2, 2}, .pads = {3, 3, 3, 3}});
  for (const ConvShape& shape : {same(96, 16, 64, {3, 3}), same(16, 28, 32, {3, 3}), same(192, 7, 64, {3, 3}),
                                 same(48, 17, 64, {5, 5}), same(16, 28, 32, {5, 5}), same(192, 17, 64, {1, 7}),
                                 same(192, 17, 64, {7, 1}), same(384, 8, 64, {1, 3}), stem, halving}) {
    const ConvCase c = testing::make_case(shape, {.relu_inputs = true}, random);
    const std::vector<double> want = testing::reference(c);
    const Target target = target_of(Isa::avx2, 1);
    const auto direct = testing::kernel_named("brgemm").candidates(c.shape, target, Accuracy::safe).front();
    const double direct_error =
        testing::relative_l2(testing::run_kernel(testing::kernel_named("brgemm"), direct, c, 1), want);
    for (const ConvCandidate& candidate :
         testing::kernel_named("winograd").candidates(c.shape, target, Accuracy::safe)) {
      const double error =
          testing::relative_l2(testing::run_kernel(testing::kernel_named("winograd"), candidate, c, 1), want);
      EXPECT_LT(error, 4 * direct_error) << testing::describe(shape) << " " << candidate.implementation;
    }
  }
}

// Stems: stride 2 on few channels, by phases.
TEST(Winograd, StemsAgreeWithTheOracle) {
  std::mt19937 random(5);
  for (const std::int64_t channels : {1, 3, 4}) {
    for (const ir::Extent2 kernel : {ir::Extent2{7, 7}, ir::Extent2{5, 6}, ir::Extent2{8, 7}}) {
      for (const std::int64_t pad : {0, 3}) {
        ir::Conv op{.strides = {2, 2}, .pads = {pad, pad, pad + 1, pad}};
        op.activation = {.function = ir::Function::relu};
        ConvShape shape = dense_conv_shape(2, channels, {41, 38}, 24, kernel, op);
        shape.has_bias = true;
        for (const bool slices : {false, true}) {
          expect_right(shape, {.slices = slices}, random, 1 + static_cast<int>(random() % 3));
        }
      }
    }
  }
}

// Of many channels: their weights leave out what the last frequencies do not have.
TEST(Winograd, StrideTwoAgreesWithTheOracle) {
  std::mt19937 random(6);
  for (int i = 0; i < 16; ++i) {
    const auto extent = [&] { return static_cast<std::int64_t>(36 + random() % 6); };
    const std::array kernels{ir::Extent2{3, 3}, ir::Extent2{3, 4}, ir::Extent2{5, 3}, ir::Extent2{7, 8}};
    const std::int64_t pad = random() % 2 == 0 ? 0 : 1;
    const ir::Conv op{.strides = {2, 2}, .pads = {pad, pad, pad, 1}};
    ConvShape shape = dense_conv_shape(4, 5 + static_cast<std::int64_t>(random() % 40), {extent(), extent()}, 40,
                                       kernels[random() % kernels.size()], op);
    shape.has_bias = random() % 2 == 0;
    shape.has_residual = random() % 3 == 0;
    expect_right(shape, {.slices = random() % 2 == 0}, random, 1 + static_cast<int>(random() % 3));
  }
}

TEST(Winograd, TheSameBitsForTheSameThreads) {
  std::mt19937 random(3);
  ConvShape shape = same(64, 14, 96, {3, 3});
  shape.has_bias = true;
  const ConvCase c = testing::make_case(shape, {.slices = true}, random);
  for (const int threads : {1, 2, 4}) {
    const auto candidate =
        testing::kernel_named("winograd").candidates(c.shape, target_of(Isa::avx2, threads), Accuracy::safe).front();
    EXPECT_EQ(testing::run_kernel(testing::kernel_named("winograd"), candidate, c, threads),
              testing::run_kernel(testing::kernel_named("winograd"), candidate, c, threads));
  }
}

TEST(Winograd, AppliesToStridesOneAndTwo) {
  ConvShape shape = same(64, 14, 96, {3, 3});
  const Target target = target_of(Isa::avx2, 1);
  EXPECT_TRUE(winograd::applies(shape, target));
  EXPECT_FALSE(winograd::applies(shape, target_of(Isa::sse41, 1)));
  EXPECT_FALSE(winograd::applies(same(64, 14, 96, {1, 1}), target));
  EXPECT_FALSE(winograd::applies(same(64, 14, 96, {6, 6}), target));
  shape.op.strides = {2, 2};
  EXPECT_TRUE(winograd::applies(shape, target));
  shape.op.strides = {2, 1};
  EXPECT_FALSE(winograd::applies(shape, target));
  shape.op.strides = {3, 3};
  EXPECT_FALSE(winograd::applies(shape, target));
  ConvShape stem = same(3, 224, 64, {7, 7});
  stem.op.strides = {2, 2};
  EXPECT_TRUE(winograd::applies(stem, target));
  EXPECT_TRUE(winograd::choose(same(64, 14, 96, {7, 7}), target, Accuracy::safe).empty());
}

TEST(Winograd, MixedTilesCoverTheRaggedEdge) {
  const auto all = winograd::tilings(same(64, 17, 96, {1, 3}), Accuracy::safe);
  bool found = false;
  for (const winograd::Tiling& t : all) {
    const CookToom& main = kCookToom[t.x.main_row];
    const CookToom& edge = kCookToom[t.x.edge_row];
    std::int64_t covered = t.x.main_count * main.outputs;
    if (t.x.edge_count > 0) covered += t.x.edge_count * edge.outputs;
    EXPECT_GE(covered, 17);
    found = found || (main.outputs == 4 && edge.outputs == 3 && t.x.main_count == 2 && t.x.edge_count == 3);
  }
  EXPECT_TRUE(found);
}

TEST(Winograd, TuningSurvivesNumbers) {
  for (const auto& tuning : winograd::choose(same(64, 14, 96, {3, 3}), target_of(Isa::avx2, 2), Accuracy::safe)) {
    EXPECT_EQ(winograd::tuning_from(winograd::to_numbers(tuning)), tuning);
  }
}

}  // namespace
}  // namespace deeper::backend
