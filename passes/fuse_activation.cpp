// A Relu, LeakyRelu, Clip, Sigmoid or Tanh becomes part of the Conv or MatMul whose result it alone reads; a Relu,
// LeakyRelu or Clip also of a Pool.
//
//   %y = Conv(%x, %w, %b)
//   %z = Unary(%y) {function=relu}   ->   %z = Conv(%x, %w, %b) {activation=relu}
//
// Exact: always.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// Where an op that can have this activation keeps it, or null.
Activation* place_for(const Activation& activation, Op& op) {
  if (auto* conv = std::get_if<Conv>(&op)) return &conv->activation;
  if (auto* matmul = std::get_if<MatMul>(&op)) return &matmul->activation;
  auto* pool = std::get_if<Pool>(&op);
  const bool is_simple = activation.function != Function::sigmoid && activation.function != Function::tanh;
  return pool != nullptr && is_simple ? &pool->activation : nullptr;
}

bool set_activation(Op& op, const Activation& activation) {
  Activation* place = place_for(activation, op);
  if (place == nullptr || *place != Activation{}) return false;
  *place = activation;
  return true;
}

bool fuse(Graph& graph, NodeId id) {
  const auto activation = fusable_activation(graph.node(id).op);
  if (!activation) return false;
  const ValueId x = graph.node(id).inputs[0];
  const NodeId producer = graph.producer(x);
  if (!producer.valid() || !graph.has_single_use(x)) return false;
  Node linear = graph.node(producer);
  if (!set_activation(linear.op, *activation)) return false;
  graph.rewrite(id, linear.op, linear.inputs);
  graph.add_origins(id, linear.origins);
  erase_dead(graph, x);
  return true;
}

}  // namespace

bool fuse_activation(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (const NodeId id : order) {
    if (is_live(graph, id)) changed |= fuse(graph, id);
  }
  return changed;
}

}  // namespace deeper::passes
