// Removes nodes that hand on their operand unchanged and Expands whose reader broadcasts anyway, merges a Reshape or
// Transpose with the one before it, and turns a Transpose (or a Reduce) that only moves (drops) axes of extent 1 into a
// Reshape.
//
//   %a: f32[1,2,2,3] = Transpose(%x) {perm=[0,2,3,1]}         output "y" = %x
//   %b: f32[1,3,2,2] = Transpose(%a) {perm=[0,3,1,2]}    ->
//   %y: f32[1,3,2,2] = Pad(%b) {begins=[0,0,0,0], ends=[0,0,0,0]}
//   output "y" = %y
//
// Exact: always. x + 0, x - 0, x * 1, x / 1 and x ^ 1 count where the constant does not broadcast x.
#include <algorithm>

#include "ir/match.h"
#include "passes/passes.h"
#include "passes/views.h"

namespace deeper::passes {
namespace {

bool all_zero(std::span<const std::int64_t> numbers) {
  return std::ranges::all_of(numbers, [](std::int64_t n) { return n == 0; });
}

bool is_neutral(ir::BinaryFunction function, float constant, bool constant_is_second) {
  switch (function) {
    case ir::BinaryFunction::add:
      return constant == 0;
    case ir::BinaryFunction::mul:
      return constant == 1;
    case ir::BinaryFunction::sub:
      return constant_is_second && constant == 0;
    case ir::BinaryFunction::div:
    case ir::BinaryFunction::pow:
      return constant_is_second && constant == 1;
    case ir::BinaryFunction::max:
    case ir::BinaryFunction::min:
    case ir::BinaryFunction::prelu:
    case ir::BinaryFunction::mod:
    case ir::BinaryFunction::equal:
    case ir::BinaryFunction::less:
    case ir::BinaryFunction::less_equal:
    case ir::BinaryFunction::greater:
    case ir::BinaryFunction::greater_equal:
    case ir::BinaryFunction::logical_and:
    case ir::BinaryFunction::logical_or:
      return false;
  }
  return false;
}

bool is_single_cell(const ir::Pool& pool) {
  return pool.kernel == ir::Extent2{1, 1} && pool.strides == ir::Extent2{1, 1} && pool.pads == ir::Pads{0, 0, 0, 0} &&
         pool.activation == ir::Activation{};
}

bool reduces_only_ones(const ir::Reduce& reduce, const ir::Shape& shape) {
  return std::ranges::all_of(reduce.axes,
                             [&](std::int64_t axis) { return shape[static_cast<std::size_t>(axis)] == 1; });
}

// For ops of one operand: whether the result is the operand, given that it has the operand's type.
bool hands_on(const ir::Op& op, const ir::Shape& shape) {
  if (std::holds_alternative<ir::Identity>(op) || std::holds_alternative<ir::Cast>(op) ||
      std::holds_alternative<ir::Concat>(op) || std::holds_alternative<ir::Expand>(op)) {
    return true;
  }
  if (const auto* unary = std::get_if<ir::Unary>(&op)) return unary->function.function == ir::Function::identity;
  if (const auto* pad = std::get_if<ir::Pad>(&op)) return all_zero(pad->begins) && all_zero(pad->ends);
  if (const auto* pool = std::get_if<ir::Pool>(&op)) return is_single_cell(*pool);
  if (const auto* reduce = std::get_if<ir::Reduce>(&op)) return reduces_only_ones(*reduce, shape);
  if (const auto* slice = std::get_if<ir::Slice>(&op)) {
    return all_zero(slice->starts) && std::ranges::all_of(slice->steps, [](std::int64_t step) { return step > 0; });
  }
  if (const auto* resize = std::get_if<ir::Resize>(&op)) {
    return std::ranges::all_of(resize->scales, [](float scale) { return scale == 1; });
  }
  return false;
}

// The operand that the node's result equals; nothing where it does something.
std::optional<ir::ValueId> unchanged_operand(const ir::Graph& graph, const ir::Node& node) {
  const ir::Type& type = graph.type(node.output);
  if (const auto* binary = std::get_if<ir::Binary>(&node.op)) {
    for (const std::size_t k : {std::size_t{1}, std::size_t{0}}) {
      const std::optional<float> constant = ir::uniform_constant(graph, node.inputs[k]);
      const ir::ValueId other = node.inputs[1 - k];
      if (constant && is_neutral(binary->function, *constant, k == 1) && graph.type(other) == type) return other;
    }
    return std::nullopt;
  }
  if (node.inputs.size() != 1 || graph.type(node.inputs[0]) != type) return std::nullopt;
  if (!hands_on(node.op, type.shape)) return std::nullopt;
  return node.inputs[0];
}

// A Binary reads what an Expand reads where broadcasting gives the same shape.
bool skip_expands(ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  bool changed = false;
  for (std::size_t k = 0; k < 2; ++k) {
    std::vector<ir::ValueId> operands = node.inputs;
    if (graph.producer_as<ir::Expand>(operands[k]) == nullptr) continue;
    operands[k] = graph.node(graph.producer(operands[k])).inputs[0];
    const ir::Shape& shape = graph.shape(node.output);
    if (ir::broadcast(graph.shape(operands[0]), graph.shape(operands[1])) != shape) continue;
    if (std::get<ir::Binary>(node.op).function == ir::BinaryFunction::prelu && graph.shape(operands[0]) != shape) {
      continue;
    }
    graph.add_origins(id, graph.node(graph.producer(node.inputs[k])).origins);
    graph.rewrite(id, node.op, operands);
    changed = true;
  }
  return changed;
}

bool simplify(ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  if (graph.value(node.output).slot) return false;
  const bool skipped = std::holds_alternative<ir::Binary>(node.op) && skip_expands(graph, id);
  if (const std::optional<ir::ValueId> operand = unchanged_operand(graph, node)) {
    graph.replace_uses(node.output, *operand);
    graph.erase(id);
    return true;
  }
  const auto* reduce = std::get_if<ir::Reduce>(&node.op);
  if (reduce != nullptr && reduces_only_ones(*reduce, graph.shape(node.inputs[0]))) {
    graph.rewrite(id, ir::Reshape{graph.shape(node.output)}, {node.inputs[0]});
    simplify_view(graph, id);
    return true;
  }
  return simplify_view(graph, id) || skipped;
}

}  // namespace

bool eliminate_identity(ir::Graph& graph) {
  bool changed = false;
  const std::vector<ir::NodeId> order(graph.order().begin(), graph.order().end());
  for (const ir::NodeId id : order) {
    const bool gone = !graph.producer(graph.node(id).output).valid();
    if (!gone && simplify(graph, id)) changed = true;
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
