#include <gtest/gtest.h>

#include "backend/layout.h"
#include "backend/onednn/describe.h"
#include "backend/onednn/primitive.h"
#include "ir/error.h"

namespace deeper::backend::onednn {
namespace {

runtime::Operand image(ir::Shape shape, std::int64_t pixel_stride) {
  runtime::Operand operand{.space = runtime::Space::arena};
  operand.strides = image_strides(shape, pixel_stride);
  operand.shape = std::move(shape);
  return operand;
}

runtime::Operand packed(ir::Shape shape) {
  runtime::Operand operand{.space = runtime::Space::weights};
  operand.shape = std::move(shape);
  return operand;
}

runtime::Step conv_step(std::int64_t in_stride, std::int64_t out_stride) {
  runtime::Step step{.kernel = "onednn.conv", .op = ir::Conv{}};
  step.operands = {image({1, 64, 17, 17}, in_stride), packed({96, 64, 1, 1}), {}, {}};
  step.result = image({1, 96, 17, 17}, out_stride);
  return step;
}

TEST(OneDnn, ConvolutionsInNhwcAreFast) { EXPECT_FALSE(describe(conv_step(64, 96), 1).is_reference()); }

TEST(OneDnn, PointwiseConvolutionsOnSlicesAreFastAsProducts) {
  runtime::Step step = conv_step(80, 128);
  step.kernel = "onednn.conv_as_matmul";
  EXPECT_FALSE(describe(step, 1).is_reference());
}

TEST(OneDnn, ReorderPacksEveryElement) {
  std::vector<float> elements(24 * 5);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i);
  const Desc plain = desc_of({24, 5}, {5, 1});
  const Desc turned = desc_of({24, 5}, {1, 24});
  const std::vector<std::byte> bytes = reorder(elements, plain, turned);
  ASSERT_EQ(bytes.size(), elements.size() * sizeof(float));
  const auto* floats = reinterpret_cast<const float*>(bytes.data());
  EXPECT_EQ(floats[0], 0);
  EXPECT_EQ(floats[1], 5);
  EXPECT_EQ(floats[24], 1);
}

TEST(OneDnn, RefusesAStepOfAnotherLibrary) {
  runtime::Step step = conv_step(64, 96);
  const Description description = describe(step, 1);
  step.implementation = description.implementation();
  step.scratch.bytes = description.scratchpad_bytes();
  step.operands[0].bytes = description.desc(0).get_size();
  step.operands[1].bytes = description.desc(1).get_size();
  step.result.bytes = description.desc(4).get_size();
  EXPECT_NO_THROW(rows()[0].prepare(step, 1));
  runtime::Step other = step;
  other.implementation = "jit:another";
  EXPECT_THROW(rows()[0].prepare(other, 1), ModelError);
  other = step;
  other.operands[1].bytes += 64;
  EXPECT_THROW(rows()[0].prepare(other, 1), ModelError);
}

}  // namespace
}  // namespace deeper::backend::onednn
