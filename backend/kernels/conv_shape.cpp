#include "backend/kernels/conv_shape.h"

#include <algorithm>

#include "backend/layout.h"
#include "ir/graph.h"
#include "ir/infer.h"

namespace deeper::backend {
namespace {

// Rounds towards minus infinity; divisor > 0.
std::int64_t floor_divide(std::int64_t a, std::int64_t divisor) {
  return a >= 0 ? a / divisor : -((-a + divisor - 1) / divisor);
}

std::int64_t ceil_divide(std::int64_t a, std::int64_t divisor) { return -floor_divide(-a, divisor); }

ImageStrides dense_strides(std::int64_t channels, const ir::Extent2& extent) {
  return {.image = channels * extent[0] * extent[1], .row = channels * extent[1], .pixel = channels};
}

ir::Extent2 pooled_extent(const ir::Extent2& input, const ir::Pool& pool) {
  ir::Graph graph;
  const ir::ValueId image = graph.add_input("", {ir::DataType::f32, {1, 1, input[0], input[1]}});
  const ir::Shape shape = ir::infer(pool, graph, {&image, 1}).shape;
  return {shape[2], shape[3]};
}

ir::Extent2 output_extent(const ConvShape& shape) {
  ir::Extent2 output{};
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t window = (shape.kernel[axis] - 1) * shape.op.dilations[axis] + 1;
    const std::int64_t padded = shape.input[axis] + shape.op.pads[axis] + shape.op.pads[axis + 2];
    output[axis] = (padded - window) / shape.op.strides[axis] + 1;
  }
  return output;
}

bool same_place(const runtime::Operand& a, const runtime::Operand& b) {
  return a.space == b.space && a.port == b.port && a.offset == b.offset;
}

}  // namespace

std::optional<ImageStrides> image_strides_of(const runtime::Operand& operand) {
  if (operand.shape.size() != 4 || operand.strides.size() != 4) return std::nullopt;
  const std::optional<std::int64_t> pixel = pixel_stride(operand.shape, operand.strides);
  if (!pixel) return std::nullopt;
  return ImageStrides{
      .image = *pixel * operand.shape[2] * operand.shape[3], .row = *pixel * operand.shape[3], .pixel = *pixel};
}

std::optional<ConvShape> conv_shape(const runtime::Step& step) {
  const auto* op = std::get_if<ir::Conv>(&step.op);
  if (op == nullptr || step.operands.size() < 2) return std::nullopt;
  const runtime::Operand& x = step.operands[0];
  const ir::Shape& weights = step.operands[1].shape;
  const auto source = image_strides_of(x);
  const auto result = image_strides_of(step.result);
  if (!source || !result || weights.size() != 4) return std::nullopt;
  ConvShape shape;
  shape.op = *op;
  shape.batch = x.shape[0];
  shape.in_channels = x.shape[1];
  shape.input = {x.shape[2], x.shape[3]};
  shape.out_channels = weights[0];
  shape.kernel = {weights[2], weights[3]};
  shape.output = {step.result.shape[2], step.result.shape[3]};
  if (step.result_pool) shape.output = output_extent(shape);
  shape.source = *source;
  if (step.operand_pool) {
    shape.input = pooled_extent(shape.input, *step.operand_pool);
    shape.source = dense_strides(shape.in_channels, shape.input);
  }
  shape.result = *result;
  shape.has_bias = step.operands.size() > 2 && step.operands[2].space != runtime::Space::none;
  if (step.operands.size() > 3 && step.operands[3].space != runtime::Space::none) {
    const auto residual = image_strides_of(step.operands[3]);
    if (!residual) return std::nullopt;
    shape.has_residual = true;
    shape.residual = *residual;
    shape.residual_in_place = same_place(step.operands[3], step.result);
  }
  return shape;
}

ConvShape dense_conv_shape(std::int64_t batch, std::int64_t in_channels, ir::Extent2 input, std::int64_t out_channels,
                           ir::Extent2 kernel, const ir::Conv& op) {
  ConvShape shape;
  shape.batch = batch;
  shape.in_channels = in_channels;
  shape.out_channels = out_channels;
  shape.input = input;
  shape.kernel = kernel;
  shape.op = op;
  shape.output = output_extent(shape);
  shape.source = dense_strides(in_channels, input);
  shape.result = dense_strides(out_channels, shape.output);
  shape.residual = shape.result;
  return shape;
}

Range valid_outputs(const ConvShape& shape, int axis, std::int64_t tap) {
  const std::int64_t offset = tap * shape.op.dilations[axis] - shape.op.pads[axis];
  const std::int64_t stride = shape.op.strides[axis];
  const std::int64_t extent = shape.output[axis];
  const std::int64_t first = std::clamp<std::int64_t>(ceil_divide(-offset, stride), 0, extent);
  const std::int64_t last = std::clamp<std::int64_t>(ceil_divide(shape.input[axis] - offset, stride), 0, extent);
  return {first, std::max(first, last)};
}

Range valid_taps(const ConvShape& shape, int axis, std::int64_t position) {
  const std::int64_t origin = position * shape.op.strides[axis] - shape.op.pads[axis];
  const std::int64_t dilation = shape.op.dilations[axis];
  const std::int64_t taps = shape.kernel[axis];
  const std::int64_t first = std::clamp<std::int64_t>(ceil_divide(-origin, dilation), 0, taps);
  const std::int64_t last = std::clamp<std::int64_t>(ceil_divide(shape.input[axis] - origin, dilation), 0, taps);
  return {first, std::max(first, last)};
}

std::int64_t multiply_adds(const ConvShape& shape) {
  std::int64_t window = 1;
  for (int axis = 0; axis < 2; ++axis) {
    std::int64_t sum = 0;
    for (std::int64_t tap = 0; tap < shape.kernel[axis]; ++tap) sum += valid_outputs(shape, axis, tap).size();
    window *= sum;
  }
  return window * shape.batch * shape.out_channels * shape.group_inputs();
}

bool has_simple_activation(const ir::Activation& activation) {
  switch (activation.function) {
    case ir::Function::identity:
    case ir::Function::relu:
    case ir::Function::leaky_relu:
    case ir::Function::clip:
      return true;
    default:
      return false;
  }
}

Range share(std::int64_t count, std::int64_t index, std::int64_t parts) {
  return {count * index / parts, count * (index + 1) / parts};
}

}  // namespace deeper::backend
