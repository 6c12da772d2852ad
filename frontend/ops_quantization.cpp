// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, and the integer products that follow them.
#include <array>
#include <limits>
#include <numeric>

#include "frontend/importer_table.h"
#include "frontend/quantization.h"
#include "frontend/windows.h"

namespace deeper::frontend {
namespace {

using ir::BinaryFunction;
using ir::Function;

// The axis that per-axis scales run along; from opset 13 on (and in Microsoft's domain) an attribute.
Quantization read_linear(NodeContext& node) {
  require(node.attributes().integer_or("block_size", 0) == 0, "block_size is not supported");
  const std::int64_t rank = node.rank(node.input(0));
  std::int64_t axis = node.attributes().integer_or("axis", 1);
  if (ir::element_count(node.shape(node.input(1))) > 1) axis = node.axis(axis, rank);
  return read_quantization(node, 1, axis, rank);
}

void import_quantize_linear(NodeContext& node) {
  Quantization quantization = read_linear(node);
  const std::int64_t output_type = node.attributes().integer_or("output_dtype", 0);
  if (!node.has_input(2) && output_type != 0) {
    require(output_type == onnx::TensorProto::UINT8 || output_type == onnx::TensorProto::INT8,
            "output_dtype {} is not supported", output_type);
    if (output_type == onnx::TensorProto::INT8) quantization.low = -128, quantization.high = 127;
  }
  quantized_result(node, node.cast(node.input(0), ir::DataType::f32), quantization);
}

void import_dequantize_linear(NodeContext& node) {
  const Quantization quantization = read_linear(node);
  const ir::ValueId number = centred(node, node.input(0), quantization);
  node.result(ir::Binary{.function = BinaryFunction::mul}, {number, quantization.scale});
}

// Range of the input with 0 in it, in 255 steps.
void import_dynamic_quantize_linear(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(node.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  const ir::ValueId zero = node.add_scalar(0);
  const auto limit = [&](ir::ReduceKind kind, BinaryFunction with) {
    const ir::ValueId most = node.add(ir::Reduce{.kind = kind, .axes = axes, .keepdims = false}, {x});
    return node.binary(with, most, zero);
  };
  const ir::ValueId high = limit(ir::ReduceKind::max, BinaryFunction::max);
  const ir::ValueId low = limit(ir::ReduceKind::min, BinaryFunction::min);
  const ir::ValueId step =
      node.binary(BinaryFunction::div, node.binary(BinaryFunction::sub, high, low), node.add_scalar(255));
  const ir::ValueId least = node.add_scalar(std::numeric_limits<float>::min());
  node.result_at(1, ir::Binary{.function = BinaryFunction::max}, {step, least});
  Quantization quantization{.scale = node.output(1), .zero_point = {}};
  const ir::ValueId offset = node.binary(BinaryFunction::div, node.unary(Function::neg, low), quantization.scale);
  saturated_result(node, 2, offset, quantization);
  quantization.zero_point = node.output(2);
  quantized_result(node, x, quantization);
}

// --- integer products: 32-bit results, kept as f32 numbers ---

// An operand less its zero point, which runs along `axis` where it has several elements.
ir::ValueId less_zero_point(NodeContext& node, std::size_t operand, std::size_t zero_point, std::int64_t axis) {
  const ir::ValueId number = node.cast(node.input(operand), ir::DataType::f32);
  if (!node.has_input(zero_point)) return number;
  ir::ValueId offset = node.cast(node.input(zero_point), ir::DataType::f32);
  const std::int64_t count = ir::element_count(node.shape(offset));
  ir::Shape shape;
  if (count > 1) shape.assign(static_cast<std::size_t>(node.rank(number) - axis), 1);
  if (count > 1) shape[0] = count;
  return node.binary(BinaryFunction::sub, number, node.reshape(offset, std::move(shape)));
}

void import_conv_integer(NodeContext& node) {
  const ir::ValueId x = less_zero_point(node, 0, 2, 1);
  const ir::ValueId weights = less_zero_point(node, 1, 3, 0);
  const ir::Conv conv = read_conv(node, node.shape(x), node.shape(weights));
  image_result(node, x, conv, {as_image(node, x), as_image(node, weights)});
  node.set_quantized();
}

void import_mat_mul_integer(NodeContext& node) {
  const std::int64_t rank_a = node.rank(node.input(0));
  const std::int64_t rank_b = node.rank(node.input(1));
  require(rank_a >= 2 && rank_b >= 2, "operands of rank {} and {} are not supported", rank_a, rank_b);
  const ir::ValueId a = less_zero_point(node, 0, 2, rank_a - 2);
  const ir::ValueId b = less_zero_point(node, 1, 3, rank_b - 1);
  node.result(ir::MatMul{}, {a, b});
  node.set_quantized();
}

constexpr std::array kRows = {
    ImporterRow{"", "QuantizeLinear", 10, kOpen, import_quantize_linear},
    ImporterRow{"", "DequantizeLinear", 10, kOpen, import_dequantize_linear},
    ImporterRow{kMicrosoft, "QuantizeLinear", 1, kOpen, import_quantize_linear},
    ImporterRow{kMicrosoft, "DequantizeLinear", 1, kOpen, import_dequantize_linear},
    ImporterRow{"", "DynamicQuantizeLinear", 11, kOpen, import_dynamic_quantize_linear},
    ImporterRow{"", "ConvInteger", 10, kOpen, import_conv_integer},
    ImporterRow{"", "MatMulInteger", 10, kOpen, import_mat_mul_integer},
};

}  // namespace

std::span<const ImporterRow> quantization_rows() { return kRows; }

}  // namespace deeper::frontend
