#include "backend/kernels/amx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/error.h"
#include "runtime/machine.h"
#include "tests/unit/conv_case.h"

namespace deeper::backend {
namespace {

using testing::ConvCase;
using testing::target_of;

class Amx : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!runtime::cpu_has("amx")) GTEST_SKIP() << "needs AMX";
  }
};

void expect_right(const ConvShape& shape, const testing::CaseOptions& options, std::mt19937& random, int threads,
                  std::int64_t l2_bytes) {
  const ConvCase c = testing::make_case(shape, options, random);
  const std::vector<double> want = testing::reference(c);
  Target target = target_of(Isa::amx, threads);
  target.l2_bytes = l2_bytes;
  for (const Accuracy accuracy : {Accuracy::safe, Accuracy::fast}) {
    for (const ConvCandidate& candidate : testing::kernel_named("amx").candidates(c.shape, target, accuracy)) {
      const std::vector<float> got = testing::run_kernel(testing::kernel_named("amx"), candidate, c, threads);
      EXPECT_LT(testing::relative_l2(got, want), accuracy == Accuracy::safe ? 2e-6 : 4e-5)
          << testing::describe(c.shape) << " " << candidate.implementation << " slices " << options.slices
          << " relu inputs " << options.relu_inputs << " threads " << threads;
    }
  }
}

ConvShape random_shape(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<std::int64_t> values) { return testing::pick(random, values); };
  ir::Conv op;
  ir::Extent2 kernel;
  ir::Extent2 input;
  for (int axis = 0; axis < 2; ++axis) {
    kernel[axis] = pick({1, 1, 2, 3, 5, 7});
    op.strides[axis] = pick({1, 1, 2, 3});
    op.dilations[axis] = pick({1, 1, 2});
    const std::int64_t window = (kernel[axis] - 1) * op.dilations[axis] + 1;
    op.pads[axis] = pick({0, window / 2, window / 2, window + 1});
    op.pads[axis + 2] = pick({0, op.pads[axis], op.pads[axis], window + 1});
    input[axis] = std::max(window, pick({1, 2, 5, 8, 17, 35}));
  }
  op.activation = testing::random_activation(random);
  ConvShape shape = dense_conv_shape(pick({1, 1, 2, 5}), pick({1, 3, 5, 16, 37, 64, 96, 130}), input,
                                     pick({1, 8, 16, 24, 32, 48, 80}), kernel, op);
  testing::add_random_epilogue(shape, random);
  return shape;
}

ConvShape same(std::int64_t in, std::int64_t extent, std::int64_t out, ir::Extent2 kernel) {
  const std::int64_t y = kernel[0] / 2;
  const std::int64_t x = kernel[1] / 2;
  return dense_conv_shape(1, in, {extent, extent}, out, kernel, {.pads = {y, x, y, x}});
}

TEST_F(Amx, AgreesWithTheOracleOnRandomShapes) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const ConvShape shape = random_shape(random);
    if (multiply_adds(shape) > 10'000'000) continue;
    const testing::CaseOptions options{.slices = random() % 2 == 0, .relu_inputs = random() % 2 == 0};
    const int threads = 1 + static_cast<int>(random() % 3);
    expect_right(shape, options, random, threads, random() % 2 == 0 ? 2 << 20 : 16 << 10);
  }
}

// Three digits hold what the largest numbers of a sum leave to see of the others.
TEST_F(Amx, SafeStaysNearDirect) {
  std::mt19937 random(2);
  for (const ConvShape& shape : {same(64, 14, 32, {1, 1}), same(512, 14, 32, {1, 1}), same(2048, 8, 32, {1, 1}),
                                 same(16, 14, 32, {3, 3}), same(192, 14, 32, {3, 3}), same(192, 17, 32, {1, 7})}) {
    const ConvCase c = testing::make_case(shape, {.relu_inputs = true}, random);
    const std::vector<double> want = testing::reference(c);
    const auto error = [&](std::string_view name, Isa isa) {
      const auto candidate = testing::kernel_named(name).candidates(c.shape, target_of(isa, 1), Accuracy::safe).front();
      return testing::relative_l2(testing::run_kernel(testing::kernel_named(name), candidate, c, 1), want);
    };
    EXPECT_LT(error("amx", Isa::amx), 4 * error("brgemm", Isa::avx2)) << testing::describe(shape);
  }
}

std::vector<float> run_safe(const ConvCase& c) {
  const auto candidate =
      testing::kernel_named("amx").candidates(c.shape, target_of(Isa::amx, 1), Accuracy::safe).front();
  return testing::run_kernel(testing::kernel_named("amx"), candidate, c, 1);
}

// Inputs of any size keep their relative accuracy: they are scaled by the largest.
TEST_F(Amx, ScalesItsInputs) {
  std::mt19937 random(5);
  for (const ConvShape& shape : {same(96, 9, 32, {1, 1}), same(96, 9, 32, {3, 3})}) {
    for (const bool relu_inputs : {false, true}) {
      for (const float scale : {1e-25F, 1e-3F, 1.0F, 1e20F, 1e30F}) {
        ConvCase c = testing::make_case(shape, {.relu_inputs = relu_inputs}, random);
        for (float& value : c.source) value *= scale;
        EXPECT_LT(testing::relative_l2(run_safe(c), testing::reference(c)), 2e-6) << scale;
      }
    }
  }
}

TEST_F(Amx, ZerosGiveTheBias) {
  std::mt19937 random(6);
  for (ConvShape shape : {same(96, 9, 32, {1, 1}), same(96, 9, 32, {3, 3})}) {
    shape.has_bias = true;
    ConvCase c = testing::make_case(shape, {}, random);
    std::fill(c.source.begin(), c.source.end(), 0.0F);
    const std::vector<float> got = run_safe(c);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], c.bias[i % c.bias.size()]);
  }
}

// Where every output reads one pixel, only the pixels that have one; a window's largest is that of its image.
TEST_F(Amx, WhatIsNotFiniteIsSeen) {
  std::mt19937 random(7);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const ir::Extent2 kernel : {ir::Extent2{1, 1}, ir::Extent2{3, 3}}) {
      const std::int64_t pad = kernel[0] / 2;
      const ConvShape shape = dense_conv_shape(2, 80, {9, 9}, 32, kernel, {.pads = {pad, pad, pad, pad}});
      ConvCase c = testing::make_case(shape, {}, random);
      const std::vector<float> want = run_safe(c);
      constexpr std::size_t kPixel = 40;
      c.source[kPixel * 80 + 7] = value;
      const std::vector<float> got = run_safe(c);
      for (std::size_t i = 0; i < got.size(); ++i) {
        const bool is_hit = pad == 0 ? i / 32 == kPixel : i < got.size() / 2;
        ASSERT_EQ(std::isnan(got[i]), is_hit) << i;
        if (!is_hit) {
          ASSERT_FLOAT_EQ(got[i], want[i]);
        }
      }
    }
  }
}

TEST_F(Amx, WeightsThatAreNotFiniteAreSeen) {
  std::mt19937 random(8);
  ConvCase c = testing::make_case(same(80, 9, 32, {3, 3}), {}, random);
  const std::vector<float> want = run_safe(c);
  constexpr std::size_t kOutput = 5;
  c.weights[kOutput * 80 * 9 + 100] = std::numeric_limits<float>::infinity();
  const std::vector<float> got = run_safe(c);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool is_hit = i % 32 == kOutput;
    ASSERT_EQ(std::isnan(got[i]), is_hit) << i;
    if (!is_hit) {
      ASSERT_EQ(got[i], want[i]);
    }
  }
}

TEST_F(Amx, TheSameBitsForTheSameThreads) {
  std::mt19937 random(3);
  ConvShape shape = same(300, 14, 96, {3, 3});
  shape.has_bias = true;
  const ConvCase c = testing::make_case(shape, {.slices = true}, random);
  for (const int threads : {1, 2, 4}) {
    const auto candidate =
        testing::kernel_named("amx").candidates(c.shape, target_of(Isa::amx, threads), Accuracy::safe).front();
    EXPECT_EQ(testing::run_kernel(testing::kernel_named("amx"), candidate, c, threads),
              testing::run_kernel(testing::kernel_named("amx"), candidate, c, threads));
  }
}

TEST_F(Amx, RefusesTuningsOfDamagedPlans) {
  std::mt19937 random(4);
  const ConvCase c = testing::make_case(same(64, 14, 32, {3, 3}), {}, random);
  const ConvCandidate good =
      testing::kernel_named("amx").candidates(c.shape, target_of(Isa::amx, 1), Accuracy::safe).front();
  for (const auto& [index, value] : {std::pair{1, 5}, {2, 33}, {2, 0}, {3, 0}}) {
    ConvCandidate bad = good;
    bad.tuning[static_cast<std::size_t>(index)] = value;
    EXPECT_THROW(testing::run_kernel(testing::kernel_named("amx"), bad, c, 1), ModelError) << index << ": " << value;
  }
}

TEST(AmxChoice, AppliesToOneGroupOnTiles) {
  ConvShape shape = same(64, 14, 96, {3, 3});
  EXPECT_TRUE(amx::applies(shape, target_of(Isa::amx, 1)));
  EXPECT_FALSE(amx::applies(shape, target_of(Isa::avx512, 1)));
  shape.op.groups = 2;
  EXPECT_FALSE(amx::applies(shape, target_of(Isa::amx, 1)));
}

TEST(AmxChoice, TuningSurvivesNumbers) {
  for (const Accuracy accuracy : {Accuracy::safe, Accuracy::fast}) {
    const amx::Tuning tuning = amx::choose(same(640, 14, 960, {3, 3}), target_of(Isa::amx, 2), accuracy);
    EXPECT_EQ(amx::tuning_from(amx::to_numbers(tuning)), tuning);
    EXPECT_EQ(tuning.levels, accuracy == Accuracy::safe ? 4 : 3);
    EXPECT_LT(tuning.blocks, 10) << "so many weights are met a few inputs at a time";
  }
}

}  // namespace
}  // namespace deeper::backend
