#include "frontend/quantization.h"

#include <algorithm>

namespace deeper::frontend {
namespace {

using ir::BinaryFunction;
using ir::Function;

// One number, or one per element along `axis`, as a shape that broadcasts against rank `rank`.
ir::ValueId along_axis(NodeContext& node, ir::ValueId value, std::int64_t axis, std::int64_t rank) {
  const std::int64_t count = ir::element_count(node.shape(value));
  if (count == 1) return node.reshape(value, {});
  require(node.rank(value) == 1, "scales of shape {} are not supported", to_string(node.type(value)));
  require(axis >= 0 && axis < rank, "axis {} is outside rank {}", axis, rank);
  ir::Shape shape(static_cast<std::size_t>(rank - axis), 1);
  shape[0] = count;
  return node.reshape(value, std::move(shape));
}

bool is_zero(const NodeContext& node, ir::ValueId value) {
  const std::optional<ir::Tensor> tensor = node.constant(value);
  if (!tensor) return false;
  for (std::int64_t i = 0; i < tensor->size(); ++i) {
    if (tensor->at(i) != 0) return false;
  }
  return true;
}

}  // namespace

Quantization read_quantization(NodeContext& node, std::size_t scale, std::int64_t axis, std::int64_t rank) {
  Quantization result;
  const ir::ValueId given = node.input(scale);
  require(node.type(given).dtype == ir::DataType::f32, "the scale (input {}) is {}", scale,
          to_string(node.type(given)));
  result.scale = along_axis(node, given, axis, rank);
  if (!node.has_input(scale + 1)) return result;
  const ir::ValueId zero_point = node.input(scale + 1);
  const ir::Type type = node.type(zero_point);
  require(ir::element_count(type.shape) == ir::element_count(node.shape(given)), "scale is {}, zero point {}",
          to_string(node.type(given)), to_string(type));
  require(type.dtype != ir::DataType::f32 || node.has_quantized(), "the zero point is {}", to_string(type));
  if (type.dtype == ir::DataType::i8) {
    result.low = -128;
    result.high = 127;
  }
  // Wider zero points have no range here: they can be read, not written.
  if (type.dtype == ir::DataType::i32 || type.dtype == ir::DataType::i64) result.low = result.high = 0;
  if (!is_zero(node, zero_point)) {
    result.zero_point = along_axis(node, node.cast(zero_point, ir::DataType::f32), axis, rank);
  }
  return result;
}

ir::ValueId centred(NodeContext& node, ir::ValueId stored, const Quantization& quantization) {
  const ir::ValueId number = node.cast(stored, ir::DataType::f32);
  if (!quantization.zero_point.valid()) return number;
  return node.binary(BinaryFunction::sub, number, quantization.zero_point);
}

ir::ValueId dequantize(NodeContext& node, ir::ValueId stored, const Quantization& quantization) {
  return node.binary(BinaryFunction::mul, centred(node, stored, quantization), quantization.scale);
}

void saturated_result(NodeContext& node, std::size_t output, ir::ValueId scaled, const Quantization& quantization) {
  require(quantization.high > quantization.low, "only 8-bit results are supported");
  ir::ValueId rounded = node.unary(Function::round, scaled);
  if (quantization.zero_point.valid()) rounded = node.binary(BinaryFunction::add, rounded, quantization.zero_point);
  const ir::Activation clip{.function = Function::clip, .alpha = quantization.low, .beta = quantization.high};
  node.result_at(output, ir::Unary{.function = clip}, {rounded});
  node.set_quantized();
}

void quantized_result(NodeContext& node, ir::ValueId real, const Quantization& quantization) {
  saturated_result(node, 0, node.binary(BinaryFunction::div, real, quantization.scale), quantization);
}

}  // namespace deeper::frontend
