// Evaluates nodes whose operands are all constants; the result keeps its name and lives on as a constant, and the
// nodes that read it take over the origins.
//
//   const %c: f32[2,1] = {1, 2}                                      const %t: f32[1,2] = {1, 2}
//   %t: f32[1,2] = Transpose(%c) {perm=[1,0]} "t" from "t"     ->    %y: f32[3,2] = Binary(%x, %t) "y" from "y", "t"
//   %y: f32[3,2] = Binary(%x, %t) "y" from "y"
//
// Exact: always, to the rounding of the result's type. Results of more than ir::kFoldCap elements are left to run time.
#include <algorithm>

#include "ir/evaluate.h"
#include "passes/passes.h"

namespace deeper::passes {
namespace {

bool reads_only_constants(const ir::Graph& graph, const ir::Node& node) {
  return std::ranges::all_of(node.inputs, [&](ir::ValueId id) { return !id.valid() || graph.constant(id); });
}

}  // namespace

bool fold_constants(ir::Graph& graph) {
  bool changed = false;
  const std::vector<ir::NodeId> order(graph.order().begin(), graph.order().end());
  for (const ir::NodeId id : order) {
    if (!reads_only_constants(graph, graph.node(id))) continue;
    const ir::ValueId output = graph.node(id).output;
    std::optional<ir::Tensor> folded = ir::evaluate_constant(graph, output, ir::kFoldCap);
    if (!folded) continue;
    for (const ir::NodeId user : graph.users(output)) graph.add_origins(user, graph.node(id).origins);
    graph.become_constant(id, std::move(*folded));
    changed = true;
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
