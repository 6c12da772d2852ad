// Keeps the first of several nodes with equal op and operands; two constants with the same elements are equal operands.
//
//   %a: f32[1,4] = Unary(%x) {function=relu} from "a"        %a: f32[1,4] = Unary(%x) {function=relu} from "a", "b"
//   %b: f32[1,4] = Unary(%x) {function=relu} from "b"   ->   %y: f32[1,4] = Binary(%a, %a)
//   %y: f32[1,4] = Binary(%a, %b)
//
// Exact: always; the operands of add, mul, max and min may stand in either order. Values that live in different slots
// stay two.
#include <algorithm>
#include <bit>
#include <map>

#include "ir/print.h"
#include "passes/passes.h"

namespace deeper::passes {
namespace {

// What equal constants have in common: the type and the bits of some elements.
using Sample = std::pair<std::string, std::vector<std::uint64_t>>;

Sample sample_of(const ir::Tensor& tensor) {
  constexpr std::int64_t kElements = 16;
  Sample sample{ir::to_string(tensor.type()), {}};
  for (std::int64_t i = 0; i < std::min(tensor.size(), kElements); ++i) {
    sample.second.push_back(std::bit_cast<std::uint64_t>(tensor.at(i * tensor.size() / kElements)));
  }
  return sample;
}

// For every value the one that stands for all like it: the first of equal constants, else itself.
std::vector<ir::ValueId> representatives(const ir::Graph& graph) {
  std::vector<ir::ValueId> result;
  std::map<Sample, std::vector<ir::ValueId>> seen;
  for (std::uint32_t index = 0; index < graph.value_capacity(); ++index) {
    const ir::ValueId id{index};
    result.push_back(id);
    if (!graph.constant(id)) continue;
    std::vector<ir::ValueId>& like = seen[sample_of(*graph.constant(id))];
    const auto equal = [&](ir::ValueId other) { return graph.constant(other) == graph.constant(id); };
    const auto first = std::ranges::find_if(like, equal);
    if (first == like.end()) {
      like.push_back(id);
    } else {
      result.back() = *first;
    }
  }
  return result;
}

bool is_commutative(const ir::Op& op) {
  const auto* binary = std::get_if<ir::Binary>(&op);
  if (binary == nullptr) return false;
  return binary->function == ir::BinaryFunction::add || binary->function == ir::BinaryFunction::mul ||
         binary->function == ir::BinaryFunction::max || binary->function == ir::BinaryFunction::min;
}

using Expression = std::pair<std::string, std::vector<ir::ValueId>>;

Expression expression_of(const ir::Node& node, const std::vector<ir::ValueId>& representative) {
  Expression expression{ir::print_op(node.op), node.inputs};
  std::vector<ir::ValueId>& operands = expression.second;
  while (!operands.empty() && !operands.back().valid()) operands.pop_back();
  for (ir::ValueId& operand : operands) {
    if (operand.valid()) operand = representative[operand.index];
  }
  if (is_commutative(node.op)) std::ranges::sort(operands);
  return expression;
}

}  // namespace

bool eliminate_common_subexpressions(ir::Graph& graph) {
  bool changed = false;
  const std::vector<ir::ValueId> representative = representatives(graph);
  std::map<Expression, std::vector<ir::NodeId>> seen;
  const std::vector<ir::NodeId> order(graph.order().begin(), graph.order().end());
  for (const ir::NodeId id : order) {
    const ir::ValueId output = graph.node(id).output;
    std::vector<ir::NodeId>& like = seen[expression_of(graph.node(id), representative)];
    const auto in_same_slot = [&](ir::NodeId other) {
      return graph.value(graph.node(other).output).slot == graph.value(output).slot;
    };
    const auto first = std::ranges::find_if(like, in_same_slot);
    if (first == like.end()) {
      like.push_back(id);
      continue;
    }
    graph.replace_uses(output, graph.node(*first).output);
    graph.add_origins(*first, graph.node(id).origins);
    graph.erase(id);
    changed = true;
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
