// The Add of a Conv's result and a value of the same shape becomes the Conv's residual operand, and an activation that
// alone reads the sum becomes the Conv's activation. The Conv must have none before, and the Add alone must read it.
//
//   %y = Conv(%x, %w, %b)
//   %s = Binary(%y, %r)
//   %z = Unary(%s) {function=relu}   ->   %z = Conv(%x, %w, %b, %r) {activation=relu}
//
// Exact: always.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// Which operand of the Add is a Conv to fuse: the later one where both are.
std::optional<std::size_t> conv_operand(const Graph& graph, const Node& add) {
  std::optional<std::size_t> best;
  std::ptrdiff_t best_position = -1;
  for (const std::size_t i : {0U, 1U}) {
    const ValueId value = add.inputs[i];
    const NodeId conv = graph.producer(value);
    if (graph.producer_as<Conv>(value) == nullptr || !is_plain(graph.node(conv))) continue;
    if (!graph.has_single_use(value) || graph.type(value) != graph.type(add.inputs[1 - i])) continue;
    const auto position = std::ranges::find(graph.order(), conv) - graph.order().begin();
    if (position > best_position) best = i;
    best_position = std::max(position, best_position);
  }
  return best;
}

bool fuse(Graph& graph, NodeId id) {
  const Node add = graph.node(id);
  const auto* binary = std::get_if<Binary>(&add.op);
  if (binary == nullptr || binary->function != BinaryFunction::add) return false;
  const auto side = conv_operand(graph, add);
  if (!side) return false;
  const Node conv = graph.node(graph.producer(add.inputs[*side]));
  std::vector<ValueId> operands = conv.inputs;
  operands.resize(4);
  operands[3] = add.inputs[1 - *side];
  Conv op = std::get<Conv>(conv.op);
  graph.rewrite(id, op, operands);
  graph.add_origins(id, conv.origins);
  erase_dead(graph, conv.output);

  const auto user = only_user(graph, add.output);
  const auto activation = user ? fusable_activation(graph.node(*user).op) : std::nullopt;
  if (!activation) return true;
  op.activation = *activation;
  graph.rewrite(*user, op, operands);
  graph.add_origins(*user, graph.node(id).origins);
  erase_dead(graph, add.output);
  return true;
}

}  // namespace

bool fuse_residual(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (const NodeId id : order) {
    if (is_live(graph, id)) changed |= fuse(graph, id);
  }
  return changed;
}

}  // namespace deeper::passes
