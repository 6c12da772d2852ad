// Moves the Transposes of NHWC islands (old tf2onnx) down through nodes that work in any order of axes, until they meet
// their inverse or a node that does not. One that has only such nodes between it and a graph input, or its inverse,
// moves up to there instead, so that arithmetic on the image stands beside the first conv.
//
//   %a: f32[1,4,4,8] = Transpose(%x) {perm=[0,2,3,1]}
//   %b: f32[1,4,4,8] = Unary(%a) {function=relu}         ->   %b: f32[1,8,4,4] = Unary(%x) {function=relu}
//   %y: f32[1,8,4,4] = Transpose(%b) {perm=[0,3,1,2]}
//
// Exact: always. A Transpose moves down only where one goes for the one that comes: there are never more than before.
#include <algorithm>
#include <ranges>

#include "passes/passes.h"
#include "passes/permute_op.h"
#include "passes/views.h"

namespace deeper::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;
using Axes = std::vector<std::int64_t>;

bool is_graph_input(const Graph& graph, ValueId id) {
  return std::ranges::find(graph.inputs(), id) != graph.inputs().end();
}

// Runs `rewrite` on every node that is still there when its turn comes; true where any changed something.
template <typename Rewrite>
bool for_each_node(Graph& graph, const Rewrite& rewrite) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (const NodeId id : order) {
    const bool gone = graph.producer(graph.node(id).output) != id;
    if (!gone && rewrite(graph, id)) changed = true;
  }
  return changed;
}

bool constants_fit(const Graph& graph, const ir::Node& node, std::size_t rank) {
  return std::ranges::all_of(
      node.inputs, [&](ValueId id) { return id.valid() && (!graph.constant(id) || graph.shape(id).size() <= rank); });
}

// Reads an earlier Transpose{perm} of the same value where there is one.
bool merge_with_equal(Graph& graph, NodeId id) {
  const ir::Node& node = graph.node(id);
  if (!std::holds_alternative<ir::Transpose>(node.op) || graph.value(node.output).slot) return false;
  for (const NodeId other : graph.users(node.inputs[0])) {
    if (other == id) return false;
    const ir::Node& earlier = graph.node(other);
    if (earlier.op != node.op || graph.value(earlier.output).slot) continue;
    graph.replace_uses(node.output, earlier.output);
    graph.add_origins(other, node.origins);
    graph.erase(id);
    return true;
  }
  return false;
}

// The operands of a node with `perm` applied to the constants and each other one replaced by what `data` says.
template <typename Data>
std::vector<ValueId> permuted_operands(Graph& graph, const ir::Node& node, const Axes& perm, const Data& data) {
  std::vector<ValueId> operands;
  for (const ValueId operand : node.inputs) {
    operands.push_back(graph.constant(operand) ? permuted_constant(graph, operand, perm) : data(operand));
  }
  return operands;
}

// The permutation of the Transposes a node reads, where all its operands are such or constants and at least one of the
// Transposes, not of a graph input, has no other use.
std::optional<Axes> sinkable_permutation(const Graph& graph, const ir::Node& node) {
  std::optional<Axes> perm;
  bool frees_one = false;
  for (const ValueId operand : node.inputs) {
    if (!operand.valid()) return std::nullopt;
    if (graph.constant(operand)) continue;
    const auto* transpose = graph.producer_as<ir::Transpose>(operand);
    if (transpose == nullptr || (perm && *perm != transpose->perm)) return std::nullopt;
    perm = transpose->perm;
    const bool only_here = !graph.is_output(operand) && graph.users(operand).size() == 1;
    if (only_here && !is_graph_input(graph, graph.node(graph.producer(operand)).inputs[0])) frees_one = true;
  }
  return frees_one && constants_fit(graph, node, perm->size()) ? perm : std::nullopt;
}

// Puts Transpose{perm} between a node's result and all who read it.
NodeId transpose_after(Graph& graph, NodeId id, const Axes& perm, std::string name) {
  const ValueId value = graph.node(id).output;
  const auto next = std::ranges::find(graph.order(), id) + 1;
  const ValueId transposed = next == graph.order().end()
                                 ? graph.add_node(ir::Transpose{perm}, {value}, std::move(name))
                                 : graph.insert_before(*next, ir::Transpose{perm}, {value}, std::move(name));
  graph.replace_uses(value, transposed);
  graph.rewrite(graph.producer(transposed), ir::Transpose{perm}, {value});
  return graph.producer(transposed);
}

bool sink_into(Graph& graph, NodeId id) {
  const ir::Node node = graph.node(id);
  if (graph.value(node.output).slot) return false;
  const std::optional<Axes> perm = sinkable_permutation(graph, node);
  if (!perm) return false;
  const std::optional<PermutedOp> below = permute_op(node.op, *perm);
  if (!below) return false;

  std::vector<NodeId> transposes;
  const auto untransposed = [&](ValueId operand) {
    const NodeId transpose = graph.producer(operand);
    if (std::ranges::find(transposes, transpose) == transposes.end()) transposes.push_back(transpose);
    return graph.node(transpose).inputs[0];
  };
  graph.rewrite(id, below->op, permuted_operands(graph, node, inverse(*perm), untransposed));
  const std::string name = graph.node(transposes.front()).name;
  for (const NodeId transpose : transposes) {
    const ValueId unread = graph.node(transpose).output;
    if (graph.users(unread).empty() && !graph.is_output(unread)) graph.erase(transpose);
  }
  const NodeId sunk = transpose_after(graph, id, below->perm, name);
  for (const NodeId transpose : transposes) graph.add_origins(sunk, graph.node(transpose).origins);
  for_each_node(graph, simplify_view);
  return true;
}

// The nodes from the Transpose `id` (left out) up to a graph input or the inverse of `perm`, nearest first; empty where
// the way is not free.
std::vector<NodeId> way_up(const Graph& graph, NodeId id, const Axes& perm) {
  std::vector<NodeId> way;
  ValueId at = graph.node(id).inputs[0];
  while (!is_graph_input(graph, at)) {
    const auto* transpose = graph.producer_as<ir::Transpose>(at);
    if (transpose != nullptr && is_identity(compose(transpose->perm, perm))) break;
    if (!graph.producer(at).valid() || graph.value(at).slot || !graph.has_single_use(at)) return {};
    const ir::Node& node = graph.node(graph.producer(at));
    const auto moved = permute_op(node.op, inverse(perm));
    if (!moved || moved->perm.size() != perm.size()) return {};
    const auto is_data = [&](ValueId operand) { return !graph.constant(operand); };
    if (!constants_fit(graph, node, perm.size()) || std::ranges::count_if(node.inputs, is_data) != 1) return {};
    way.push_back(graph.producer(at));
    at = *std::ranges::find_if(node.inputs, is_data);
    if (graph.shape(at).size() != perm.size()) return {};
  }
  return way;
}

bool raise(Graph& graph, NodeId id) {
  const auto* op = std::get_if<ir::Transpose>(&graph.node(id).op);
  if (op == nullptr) return false;
  const ir::Node transpose = graph.node(id);
  const Axes perm = op->perm;
  const std::vector<NodeId> way = way_up(graph, id, perm);
  if (way.empty()) return false;

  graph.replace_uses(transpose.output, transpose.inputs[0]);
  graph.erase(id);
  const auto transposed = [&](ValueId operand) {
    return graph.insert_before(way.back(), ir::Transpose{perm}, {operand}, transpose.name, transpose.origins);
  };
  const auto as_it_is = [](ValueId operand) { return operand; };
  for (auto step = way.rbegin(); step != way.rend(); ++step) {
    const NodeId above = *step;
    const ir::Node node = graph.node(above);
    graph.rewrite(above, permute_op(node.op, inverse(perm))->op,
                  above == way.back() ? permuted_operands(graph, node, perm, transposed)
                                      : permuted_operands(graph, node, perm, as_it_is));
  }
  for_each_node(graph, simplify_view);
  return true;
}

}  // namespace

bool sink_transposes(Graph& graph) {
  bool changed = for_each_node(graph, simplify_view);
  while (for_each_node(graph, merge_with_equal) || for_each_node(graph, raise) || for_each_node(graph, sink_into)) {
    changed = true;
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
