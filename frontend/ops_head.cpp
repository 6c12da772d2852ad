// What classifiers end in: Gemm, MatMul, Softmax, LogSoftmax.
#include <array>

#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

using ir::BinaryFunction;

// --- Gemm: alpha A' B' + beta C ---

ir::ValueId scaled(NodeContext& node, ir::ValueId value, float factor) {
  if (factor == 1.0F) return value;
  return node.binary(BinaryFunction::mul, value, node.add_scalar(factor));
}

// C as the bias of a matrix product with `columns` columns, where every row of the result takes the same.
ir::ValueId as_bias(NodeContext& node, ir::ValueId c, std::int64_t columns) {
  const ir::Shape& shape = node.shape(c);
  const bool is_row = !shape.empty() && shape.back() == columns && ir::element_count(shape) == columns;
  return is_row ? node.reshape(c, {columns}) : ir::ValueId{};
}

void import_gemm(NodeContext& node) {
  const Attributes& attributes = node.attributes();
  ir::ValueId a = node.input(0);
  ir::ValueId b = node.input(1);
  require(node.rank(a) == 2 && node.rank(b) == 2, "matrices are {} and {}", to_string(node.type(a)),
          to_string(node.type(b)));
  const bool transpose_b = attributes.flag_or("transB", false);
  if (attributes.flag_or("transA", false)) a = node.add(ir::Transpose{.perm = {1, 0}}, {a});
  b = scaled(node, b, attributes.number_or("alpha", 1.0F));
  const ir::MatMul product{.transpose_b = transpose_b};
  if (!node.has_input(2)) return node.result(product, {a, b});
  const ir::Shape result = {node.shape(a)[0], node.shape(b)[transpose_b ? 0 : 1]};
  require(ir::broadcast(node.shape(node.input(2)), result) == result, "C is {}, the product [{},{}]",
          to_string(node.type(node.input(2))), result[0], result[1]);
  const ir::ValueId c = scaled(node, node.input(2), attributes.number_or("beta", 1.0F));
  const ir::ValueId bias = as_bias(node, c, result[1]);
  if (bias.valid()) return node.result(product, {a, b, bias});
  node.result(ir::Binary{.function = BinaryFunction::add}, {node.add(product, {a, b}), c});
}

// --- MatMul: vectors become matrices for the product ---

void import_mat_mul(NodeContext& node) {
  ir::ValueId a = node.input(0);
  ir::ValueId b = node.input(1);
  const bool row = node.rank(a) == 1;
  const bool column = node.rank(b) == 1;
  if (!row && !column) return node.result(ir::MatMul{}, {a, b});
  if (row) a = node.reshape(a, {1, node.shape(a)[0]});
  if (column) b = node.reshape(b, {node.shape(b)[0], 1});
  const ir::ValueId product = node.add(ir::MatMul{}, {a, b});
  ir::Shape shape = node.shape(product);
  if (column) shape.pop_back();
  if (row) shape.erase(shape.end() - (column ? 1 : 2));
  node.result(ir::Reshape{.shape = std::move(shape)}, {product});
}

// --- Softmax ---

void import_softmax(NodeContext& node, bool log) {
  const ir::ValueId x = node.input(0);
  const std::int64_t axis = node.axis(node.attributes().integer_or("axis", -1), node.rank(x));
  node.result(ir::Softmax{.axis = axis, .log = log}, {x});
}

// Before opset 13 the input is a matrix whose rows begin at `axis`.
void import_softmax_of_matrix(NodeContext& node, bool log) {
  const ir::ValueId x = node.input(0);
  const ir::Shape shape = node.shape(x);
  std::int64_t axis = node.attributes().integer_or("axis", 1);
  require(axis >= -node.rank(x) && axis <= node.rank(x), "axis {} is outside rank {}", axis, node.rank(x));
  if (axis < 0) axis += node.rank(x);
  const ir::Shape matrix = flattened(shape, axis);
  if (axis < node.rank(x) && shape[static_cast<std::size_t>(axis)] == matrix[1]) {
    return node.result(ir::Softmax{.axis = axis, .log = log}, {x});
  }
  const ir::ValueId softmax = node.add(ir::Softmax{.axis = 1, .log = log}, {node.reshape(x, matrix)});
  node.result(ir::Reshape{.shape = shape}, {softmax});
}

constexpr std::array kRows = {
    ImporterRow{"", "Gemm", 3, kOpen, import_gemm},
    ImporterRow{"", "MatMul", 3, kOpen, import_mat_mul},
    ImporterRow{"", "Softmax", 3, 12, [](NodeContext& node) { import_softmax_of_matrix(node, false); }},
    ImporterRow{"", "Softmax", 13, kOpen, [](NodeContext& node) { import_softmax(node, false); }},
    ImporterRow{"", "LogSoftmax", 3, 12, [](NodeContext& node) { import_softmax_of_matrix(node, true); }},
    ImporterRow{"", "LogSoftmax", 13, kOpen, [](NodeContext& node) { import_softmax(node, true); }},
};

}  // namespace

std::span<const ImporterRow> head_rows() { return kRows; }

}  // namespace deeper::frontend
