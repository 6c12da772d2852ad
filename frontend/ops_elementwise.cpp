// Functions of one, two and more operands, element by element.
#include <array>
#include <limits>

#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

using ir::BinaryFunction;
using ir::Function;

// --- one operand ---

void require_floating(const NodeContext& node, ir::ValueId x) {
  require(node.type(x).dtype == ir::DataType::f32, "takes floating point, not {}", to_string(node.type(x)));
}

template <Function function>
void import_unary(NodeContext& node) {
  const bool takes_integers = function == Function::relu || function == Function::abs || function == Function::neg ||
                              function == Function::sign || function == Function::logical_not;
  if (!takes_integers) require_floating(node, node.input(0));
  node.result(ir::Unary{.function = {.function = function}}, {node.input(0)});
}

void import_leaky_relu(NodeContext& node) {
  require_floating(node, node.input(0));
  const float alpha = node.attributes().number_or("alpha", 0.01F);
  node.result(ir::Unary{.function = {.function = Function::leaky_relu, .alpha = alpha}}, {node.input(0)});
}

void import_hard_sigmoid(NodeContext& node) {
  require_floating(node, node.input(0));
  node.result(ir::Unary{.function = {.function = Function::hard_sigmoid,
                                     .alpha = node.attributes().number_or("alpha", 0.2F),
                                     .beta = node.attributes().number_or("beta", 0.5F)}},
              {node.input(0)});
}

void import_hard_swish(NodeContext& node) {
  require_floating(node, node.input(0));
  const ir::ValueId gate = node.add(
      ir::Unary{.function = {.function = Function::hard_sigmoid, .alpha = 1.0F / 6.0F, .beta = 0.5F}}, {node.input(0)});
  node.result(ir::Binary{.function = BinaryFunction::mul}, {node.input(0), gate});
}

// --- Clip ---

struct Bounds {
  float low = std::numeric_limits<float>::lowest();
  float high = std::numeric_limits<float>::max();
};

void clip_result(NodeContext& node, Bounds bounds) {
  node.result(ir::Unary{.function = {.function = Function::clip, .alpha = bounds.low, .beta = bounds.high}},
              {node.input(0)});
}

void import_clip_attributes(NodeContext& node) {
  const Bounds none;
  clip_result(node, {.low = node.attributes().number_or("min", none.low),
                     .high = node.attributes().number_or("max", none.high)});
}

// Bounds that are not known now, or integers.
void clip_by_operands(NodeContext& node) {
  ir::ValueId x = node.input(0);
  const bool has_high = node.has_input(2);
  if (node.has_input(1)) {
    if (!has_high) return node.result(ir::Binary{.function = BinaryFunction::max}, {x, node.input(1)});
    x = node.binary(BinaryFunction::max, x, node.input(1));
  }
  if (has_high) return node.result(ir::Binary{.function = BinaryFunction::min}, {x, node.input(2)});
  node.result(ir::Identity{}, {x});
}

void import_clip(NodeContext& node) {
  bool by_operands = node.type(node.input(0)).dtype != ir::DataType::f32;
  Bounds bounds;
  for (const std::size_t i : {1U, 2U}) {
    if (!node.has_input(i)) continue;
    const ir::ValueId bound = node.input(i);
    require(node.type(bound).dtype == node.type(node.input(0)).dtype && ir::element_count(node.shape(bound)) == 1,
            "the bound (input {}) is {}, the input {}", i, to_string(node.type(bound)),
            to_string(node.type(node.input(0))));
    const std::optional<ir::Tensor> constant = node.constant(bound);
    if (!constant) {
      by_operands = true;
      continue;
    }
    (i == 1 ? bounds.low : bounds.high) = static_cast<float>(constant->at(0));
  }
  if (by_operands) return clip_by_operands(node);
  clip_result(node, bounds);
}

// --- two operands ---

struct Pair {
  ir::ValueId x;
  ir::ValueId y;
};

// Quantized values stand as f32 beside integers of the model: both go to f32.
void unify_types(NodeContext& node, Pair& pair) {
  if (!node.has_quantized()) return;
  const bool mixed = node.type(pair.x).dtype != node.type(pair.y).dtype;
  if (!mixed) return;
  pair.x = node.cast(pair.x, ir::DataType::f32);
  pair.y = node.cast(pair.y, ir::DataType::f32);
}

// Before opset 7 the second operand's axes stand at `axis` of the first, with `broadcast` set.
ir::ValueId align_operand(NodeContext& node, ir::ValueId x, ir::ValueId y) {
  if (!node.attributes().flag_or("broadcast", false)) {
    require(node.shape(x) == node.shape(y), "operands are {} and {}, and 'broadcast' is not set",
            to_string(node.type(x)), to_string(node.type(y)));
    return y;
  }
  const std::int64_t behind = node.rank(x) - node.rank(y);
  require(behind >= 0, "operands are {} and {}", to_string(node.type(x)), to_string(node.type(y)));
  const std::int64_t axis =
      node.attributes().has("axis") ? node.axis(node.attributes().integer_or("axis", 0), node.rank(x)) : behind;
  require(axis <= behind, "axis {} does not place {} in {}", axis, to_string(node.type(y)), to_string(node.type(x)));
  ir::Shape shape = node.shape(y);
  shape.insert(shape.end(), static_cast<std::size_t>(behind - axis), 1);
  return node.reshape(y, std::move(shape));
}

Pair read_pair(NodeContext& node) {
  require(node.input_count() == 2, "has {} inputs, must have 2", node.input_count());
  Pair pair{node.input(0), node.input(1)};
  if (node.opset() < 7) pair.y = align_operand(node, pair.x, pair.y);
  unify_types(node, pair);
  return pair;
}

template <BinaryFunction function>
void import_binary(NodeContext& node) {
  const Pair pair = read_pair(node);
  const bool takes_bool = function == BinaryFunction::equal || function >= BinaryFunction::logical_and;
  require(takes_bool || node.type(pair.x).dtype != ir::DataType::boolean, "does not take bool");
  node.result(ir::Binary{.function = function}, {pair.x, pair.y});
}

void import_pow(NodeContext& node) {
  const Pair pair = read_pair(node);
  node.result(ir::Binary{.function = BinaryFunction::pow}, {pair.x, node.cast(pair.y, node.type(pair.x).dtype)});
}

void import_xor(NodeContext& node) {
  const Pair pair = read_pair(node);
  for (const ir::ValueId value : {pair.x, pair.y}) {
    require(node.type(value).dtype == ir::DataType::boolean, "logic takes bool, not {}", to_string(node.type(value)));
  }
  const ir::ValueId equal = node.binary(BinaryFunction::equal, pair.x, pair.y);
  node.result(ir::Unary{.function = {.function = Function::logical_not}}, {equal});
}

// fmod asks for the sign of the dividend; without it only integers are allowed, with the sign of the divisor.
void import_mod(NodeContext& node) {
  const Pair pair = read_pair(node);
  const bool fmod = node.attributes().flag_or("fmod", false);
  const bool floating = node.type(pair.x).dtype == ir::DataType::f32;
  require(fmod == floating, "fmod = {} is not supported for {}", fmod ? 1 : 0, to_string(node.type(pair.x)));
  node.result(ir::Binary{.function = BinaryFunction::mod}, {pair.x, pair.y});
}

// The slope of one number per channel (before opset 7), or broadcast to the input.
void import_prelu(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  ir::ValueId slope = node.input(1);
  if (node.opset() < 7 && node.rank(slope) == 1 && node.rank(x) > 1) {
    ir::Shape shape(static_cast<std::size_t>(node.rank(x) - 1), 1);
    shape[0] = node.shape(slope)[0];
    slope = node.reshape(slope, std::move(shape));
  }
  node.result(ir::Binary{.function = BinaryFunction::prelu}, {x, slope});
}

// --- any number of operands ---

// All operands but the last combined; the last step is left to the caller.
template <BinaryFunction function>
void import_chain(NodeContext& node) {
  require(node.input_count() > 0, "has no inputs");
  ir::ValueId sum = node.input(0);
  if (node.input_count() == 1) return node.result(ir::Identity{}, {sum});
  for (std::size_t i = 1; i + 1 < node.input_count(); ++i) sum = node.binary(function, sum, node.input(i));
  Pair pair{sum, node.input(node.input_count() - 1)};
  unify_types(node, pair);
  node.result(ir::Binary{.function = function}, {pair.x, pair.y});
}

void import_mean(NodeContext& node) {
  require(node.input_count() > 0, "has no inputs");
  ir::ValueId sum = node.input(0);
  for (std::size_t i = 1; i < node.input_count(); ++i) sum = node.binary(BinaryFunction::add, sum, node.input(i));
  const ir::ValueId count = node.add_scalar(static_cast<float>(node.input_count()));
  node.result(ir::Binary{.function = BinaryFunction::div}, {sum, count});
}

void import_where(NodeContext& node) {
  Pair pair{node.input(1), node.input(2)};
  unify_types(node, pair);
  node.result(ir::Where{}, {node.input(0), pair.x, pair.y});
}

constexpr std::array kRows = {
    ImporterRow{"", "Relu", 3, kOpen, import_unary<Function::relu>},
    ImporterRow{"", "Sigmoid", 3, kOpen, import_unary<Function::sigmoid>},
    ImporterRow{"", "Tanh", 3, kOpen, import_unary<Function::tanh>},
    ImporterRow{"", "Abs", 3, kOpen, import_unary<Function::abs>},
    ImporterRow{"", "Neg", 3, kOpen, import_unary<Function::neg>},
    ImporterRow{"", "Sqrt", 3, kOpen, import_unary<Function::sqrt>},
    ImporterRow{"", "Exp", 3, kOpen, import_unary<Function::exp>},
    ImporterRow{"", "Log", 3, kOpen, import_unary<Function::log>},
    ImporterRow{"", "Reciprocal", 3, kOpen, import_unary<Function::reciprocal>},
    ImporterRow{"", "Floor", 3, kOpen, import_unary<Function::floor>},
    ImporterRow{"", "Ceil", 3, kOpen, import_unary<Function::ceil>},
    ImporterRow{"", "Round", 11, kOpen, import_unary<Function::round>},
    ImporterRow{"", "Sign", 9, kOpen, import_unary<Function::sign>},
    ImporterRow{"", "Not", 1, kOpen, import_unary<Function::logical_not>},
    ImporterRow{"", "LeakyRelu", 3, kOpen, import_leaky_relu},
    ImporterRow{"", "HardSigmoid", 3, kOpen, import_hard_sigmoid},
    ImporterRow{"", "HardSwish", 14, kOpen, import_hard_swish},
    ImporterRow{"", "Clip", 3, 10, import_clip_attributes},
    ImporterRow{"", "Clip", 11, kOpen, import_clip},
    ImporterRow{"", "Add", 3, kOpen, import_binary<BinaryFunction::add>},
    ImporterRow{"", "Sub", 3, kOpen, import_binary<BinaryFunction::sub>},
    ImporterRow{"", "Mul", 3, kOpen, import_binary<BinaryFunction::mul>},
    ImporterRow{"", "Div", 3, kOpen, import_binary<BinaryFunction::div>},
    ImporterRow{"", "Pow", 3, kOpen, import_pow},
    ImporterRow{"", "Mod", 10, kOpen, import_mod},
    ImporterRow{"", "Equal", 3, kOpen, import_binary<BinaryFunction::equal>},
    ImporterRow{"", "Less", 3, kOpen, import_binary<BinaryFunction::less>},
    ImporterRow{"", "LessOrEqual", 12, kOpen, import_binary<BinaryFunction::less_equal>},
    ImporterRow{"", "Greater", 3, kOpen, import_binary<BinaryFunction::greater>},
    ImporterRow{"", "GreaterOrEqual", 12, kOpen, import_binary<BinaryFunction::greater_equal>},
    ImporterRow{"", "And", 3, kOpen, import_binary<BinaryFunction::logical_and>},
    ImporterRow{"", "Or", 3, kOpen, import_binary<BinaryFunction::logical_or>},
    ImporterRow{"", "Xor", 3, kOpen, import_xor},
    ImporterRow{"", "PRelu", 3, kOpen, import_prelu},
    ImporterRow{"", "Sum", 3, kOpen, import_chain<BinaryFunction::add>},
    ImporterRow{"", "Max", 3, kOpen, import_chain<BinaryFunction::max>},
    ImporterRow{"", "Min", 3, kOpen, import_chain<BinaryFunction::min>},
    ImporterRow{"", "Mean", 3, kOpen, import_mean},
    ImporterRow{"", "Where", 9, kOpen, import_where},
};

}  // namespace

std::span<const ImporterRow> elementwise_rows() { return kRows; }

}  // namespace deeper::frontend
