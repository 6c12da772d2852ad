// Folds BatchNorm with constant statistics into the weights and bias of the Conv or MatMul whose result it alone reads,
// or of those that alone read it. Elsewhere BatchNorm becomes a Mul and an Add of one number per channel.
//
//   %y = Conv(%x, %w, %b)
//   %z = BatchNorm(%y, %scale, %bias, %mean, %variance)   ->   %z = Conv(%x, %w.1, %b.1)
//
// Exact, but for one rounding of the new weights: after a Conv always; before one where it has no padding (it would
// have to be padding with another number than 0).
#include "passes/affine.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

bool fold_into_producer(Graph& graph, NodeId id, const AffineNode& batch_norm) {
  const NodeId linear = graph.producer(batch_norm.x);
  if (!linear.valid() || !can_fold_after(graph, linear) || !graph.has_single_use(batch_norm.x)) return false;
  fold_after(graph, linear, batch_norm.map, id);
  erase_dead(graph, batch_norm.x);
  return true;
}

bool fold_into_users(Graph& graph, NodeId id, const AffineNode& batch_norm) {
  const ValueId result = graph.node(id).output;
  if (!feeds_constant_weights_only(graph, result)) return false;
  const std::vector<NodeId> users = graph.users(result);
  for (const NodeId user : users) {
    if (!is_unpadded(graph.node(user))) return false;
  }
  for (const NodeId user : users) {
    fold_before(graph, user, batch_norm.map, batch_norm.x);
    graph.add_origins(user, graph.node(id).origins);
  }
  erase_dead(graph, result);
  return true;
}

}  // namespace

bool fold_batch_norm(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (const NodeId id : order) {
    if (!is_live(graph, id)) continue;
    const auto batch_norm = match_batch_norm(graph, id);
    if (!batch_norm) continue;
    if (!fold_into_producer(graph, id, *batch_norm) && !fold_into_users(graph, id, *batch_norm)) {
      emit_affine(graph, id, batch_norm->x, batch_norm->map);
    }
    changed = true;
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
