// Operators on quantized values: the products keep their exact integer sums and are scaled once; the others go through
// real numbers.
#include <array>

#include "frontend/importer_table.h"
#include "frontend/quantization.h"
#include "frontend/windows.h"

namespace deeper::frontend {
namespace {

using ir::BinaryFunction;

// a_scale * b_scale / y_scale
ir::ValueId product_scale(NodeContext& node, ir::ValueId a, ir::ValueId b, ir::ValueId y) {
  return node.binary(BinaryFunction::div, node.binary(BinaryFunction::mul, a, b), y);
}

// Operands: x, scale, zero point, weights, scale, zero point, result's scale, zero point, [bias].
void import_qlinear_conv(NodeContext& node) {
  const std::int64_t rank = node.rank(node.input(0));
  require(node.rank(node.input(3)) == rank, "input has rank {}, weights have rank {}", rank, node.rank(node.input(3)));
  const Quantization of_x = read_quantization(node, 1, 1, rank);
  const Quantization of_weights = read_quantization(node, 4, 0, rank);
  const Quantization of_y = read_quantization(node, 6, 1, rank);
  const ir::ValueId x = as_image(node, centred(node, node.input(0), of_x));
  const ir::ValueId weights = as_image(node, centred(node, node.input(3), of_weights));
  const ir::Conv conv = read_conv(node, node.shape(node.input(0)), node.shape(node.input(3)));
  std::vector<ir::ValueId> inputs = {x, weights};
  if (node.has_input(8)) inputs.push_back(node.cast(node.input(8), ir::DataType::f32));
  const ir::ValueId sums = from_image(node, node.add(conv, std::move(inputs)), rank);
  // Per-channel scales stand along the weights' axis 0, the result's axis 1.
  ir::Shape per_channel = node.shape(of_weights.scale);
  if (!per_channel.empty()) per_channel.pop_back();
  const ir::ValueId scale =
      product_scale(node, of_x.scale, node.reshape(of_weights.scale, std::move(per_channel)), of_y.scale);
  saturated_result(node, 0, node.binary(BinaryFunction::mul, sums, scale), of_y);
}

// Operands: a, scale, zero point, b, scale, zero point, result's scale, zero point.
void import_qlinear_mat_mul(NodeContext& node) {
  const std::int64_t rank_a = node.rank(node.input(0));
  const std::int64_t rank_b = node.rank(node.input(3));
  require(rank_a >= 2 && rank_b >= 2, "operands of rank {} and {} are not supported", rank_a, rank_b);
  const Quantization of_a = read_quantization(node, 1, rank_a - 2, rank_a);
  const Quantization of_b = read_quantization(node, 4, rank_b - 1, rank_b);
  const Quantization of_y = read_quantization(node, 6, rank_a - 2, rank_a);
  const ir::ValueId sums =
      node.add(ir::MatMul{}, {centred(node, node.input(0), of_a), centred(node, node.input(3), of_b)});
  const ir::ValueId scale = product_scale(node, of_a.scale, of_b.scale, of_y.scale);
  saturated_result(node, 0, node.binary(BinaryFunction::mul, sums, scale), of_y);
}

// Operands: a, scale, zero point, b, scale, zero point, [c, of the products' scale], [result's scale, zero point];
// without these the result is real.
void import_qgemm(NodeContext& node) {
  const Attributes& attributes = node.attributes();
  require(node.rank(node.input(0)) == 2 && node.rank(node.input(3)) == 2, "matrices are {} and {}",
          to_string(node.type(node.input(0))), to_string(node.type(node.input(3))));
  const bool transpose_b = attributes.flag_or("transB", false);
  const Quantization of_a = read_quantization(node, 1, 0, 2);
  const Quantization of_b = read_quantization(node, 4, transpose_b ? 0 : 1, 2);
  ir::ValueId a = centred(node, node.input(0), of_a);
  if (attributes.flag_or("transA", false)) a = node.add(ir::Transpose{.perm = {1, 0}}, {a});
  const ir::ValueId b = centred(node, node.input(3), of_b);
  ir::ValueId sums = node.add(ir::MatMul{.transpose_b = transpose_b}, {a, b});
  if (node.has_input(6)) sums = node.binary(BinaryFunction::add, sums, node.cast(node.input(6), ir::DataType::f32));
  // Per-column scales stand along either axis of b, the result's last.
  const ir::Shape columns = node.shape(of_b.scale).empty() ? ir::Shape{} : ir::Shape{node.shape(of_b.scale)[0]};
  ir::ValueId scale = node.binary(BinaryFunction::mul, of_a.scale, node.reshape(of_b.scale, columns));
  scale = node.binary(BinaryFunction::mul, scale, node.add_scalar(attributes.number_or("alpha", 1.0F)));
  if (!node.has_input(7)) return node.result(ir::Binary{.function = BinaryFunction::mul}, {sums, scale});
  const Quantization of_y = read_quantization(node, 7, 1, 2);
  scale = node.binary(BinaryFunction::div, scale, of_y.scale);
  saturated_result(node, 0, node.binary(BinaryFunction::mul, sums, scale), of_y);
}

// --- through real numbers ---

// Operand `i`, followed by its scale and zero point.
ir::ValueId real_operand(NodeContext& node, std::size_t i) {
  return dequantize(node, node.input(i), read_quantization(node, i + 1, 1, node.rank(node.input(i))));
}

Quantization per_tensor(NodeContext& node, std::size_t scale) { return read_quantization(node, scale, 0, 0); }

// Operands: a, scale, zero point, b, scale, zero point, result's scale, zero point.
template <BinaryFunction function>
void import_qlinear_binary(NodeContext& node) {
  const ir::ValueId real = node.binary(function, real_operand(node, 0), real_operand(node, 3));
  quantized_result(node, real, per_tensor(node, 6));
}

// Operands: result's scale, zero point, then each piece with its scale and zero point.
void import_qlinear_concat(NodeContext& node) {
  const Quantization of_y = per_tensor(node, 0);
  std::vector<ir::ValueId> pieces;
  for (std::size_t i = 2; i < node.input_count(); i += 3) pieces.push_back(real_operand(node, i));
  require(!pieces.empty(), "has no inputs");
  const ir::Concat concat{.axis = node.axis(node.attributes().required_integer("axis"), node.rank(pieces[0]))};
  quantized_result(node, node.add(concat, std::move(pieces)), of_y);
}

// Operands of those below: x, scale, zero point, result's scale, zero point.

void require_channels_first(const NodeContext& node) {
  require(!node.attributes().flag_or("channels_last", false), "channels_last is not supported");
}

void import_qlinear_average_pool(NodeContext& node) {
  require_channels_first(node);
  const ir::ValueId real = real_operand(node, 0);
  const ir::Pool pool = read_pool(node, ir::PoolKind::average);
  const ir::ValueId pooled = node.add(pool, {as_image(node, real)});
  quantized_result(node, from_image(node, pooled, node.rank(real)), per_tensor(node, 3));
}

void import_qlinear_global_average_pool(NodeContext& node) {
  require_channels_first(node);
  const ir::ValueId real = real_operand(node, 0);
  const ir::Reduce mean{.kind = ir::ReduceKind::mean, .axes = spatial_axes(node.rank(real)), .keepdims = true};
  quantized_result(node, node.add(mean, {real}), per_tensor(node, 3));
}

void import_qlinear_softmax(NodeContext& node) {
  const ir::ValueId real = real_operand(node, 0);
  const bool of_axis = node.attributes().integer_or("opset", 13) >= 13;
  std::int64_t axis = node.attributes().integer_or("axis", -1);
  axis = node.axis(axis, node.rank(real));
  ir::ValueId softmax;
  if (of_axis) {
    softmax = node.add(ir::Softmax{.axis = axis}, {real});
  } else {
    const ir::Shape shape = node.shape(real);
    softmax = node.add(ir::Softmax{.axis = 1}, {node.reshape(real, flattened(shape, axis))});
    softmax = node.reshape(softmax, shape);
  }
  quantized_result(node, softmax, per_tensor(node, 3));
}

void import_qlinear_sigmoid(NodeContext& node) {
  quantized_result(node, node.unary(ir::Function::sigmoid, real_operand(node, 0)), per_tensor(node, 3));
}

void import_qlinear_leaky_relu(NodeContext& node) {
  const ir::Activation leaky{.function = ir::Function::leaky_relu,
                             .alpha = node.attributes().number_or("alpha", 0.01F)};
  quantized_result(node, node.add(ir::Unary{.function = leaky}, {real_operand(node, 0)}), per_tensor(node, 3));
}

constexpr std::array kRows = {
    ImporterRow{"", "QLinearConv", 10, kOpen, import_qlinear_conv},
    ImporterRow{"", "QLinearMatMul", 10, kOpen, import_qlinear_mat_mul},
    ImporterRow{kMicrosoft, "QGemm", 1, kOpen, import_qgemm},
    ImporterRow{kMicrosoft, "QLinearAdd", 1, kOpen, import_qlinear_binary<BinaryFunction::add>},
    ImporterRow{kMicrosoft, "QLinearMul", 1, kOpen, import_qlinear_binary<BinaryFunction::mul>},
    ImporterRow{kMicrosoft, "QLinearConcat", 1, kOpen, import_qlinear_concat},
    ImporterRow{kMicrosoft, "QLinearAveragePool", 1, kOpen, import_qlinear_average_pool},
    ImporterRow{kMicrosoft, "QLinearGlobalAveragePool", 1, kOpen, import_qlinear_global_average_pool},
    ImporterRow{kMicrosoft, "QLinearSoftmax", 1, kOpen, import_qlinear_softmax},
    ImporterRow{kMicrosoft, "QLinearSigmoid", 1, kOpen, import_qlinear_sigmoid},
    ImporterRow{kMicrosoft, "QLinearLeakyRelu", 1, kOpen, import_qlinear_leaky_relu},
};

}  // namespace

std::span<const ImporterRow> quantized_rows() { return kRows; }

}  // namespace deeper::frontend
