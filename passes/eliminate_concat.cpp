// The result of a Concat of channels and its operands get slots in one buffer, so that every operand is computed where
// the Concat wants it and the Concat itself does nothing. A Concat that only another one reads is flattened into it
// first. A slice of a wide Conv (merge_sibling_convs) has a place already: the Concat's is then found so that both fit,
// the slice being the end of one and the beginning of the other. An operand that has no place (a graph input, a
// constant, one that lies elsewhere) stays outside, and the Concat copies it.
//
//   %a = Conv(%x, %w)          %a in $b0[0] = Conv(%x, %w)
//   %b = Pool(%x)         ->   %b in $b0[2] = Pool(%x)
//   %y = Concat(%a, %b)        %y in $b0[0] = Concat(%a, %b)
//
// Exact: always; f32 of rank 4 along axis 1.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/storage.h"

namespace deeper::passes {

using namespace ir;

namespace {

bool flatten(Graph& graph, NodeId id) {
  const auto* outer = std::get_if<Concat>(&graph.node(id).op);
  if (outer == nullptr) return false;
  const Concat op = *outer;
  const std::vector<ValueId> inputs = graph.node(id).inputs;
  std::vector<ValueId> flat;
  std::vector<ValueId> dissolved;
  for (const ValueId input : inputs) {
    const auto* inner = graph.producer_as<Concat>(input);
    if (inner == nullptr || inner->axis != op.axis || !graph.has_single_use(input)) {
      flat.push_back(input);
      continue;
    }
    const std::vector<ValueId>& parts = graph.node(graph.producer(input)).inputs;
    flat.insert(flat.end(), parts.begin(), parts.end());
    dissolved.push_back(input);
  }
  if (dissolved.empty()) return false;
  for (const ValueId inner : dissolved) graph.add_origins(id, graph.node(graph.producer(inner)).origins);
  graph.rewrite(id, op, flat);
  for (const ValueId inner : dissolved) erase_dead(graph, inner);
  return true;
}

void place_operands(const Graph& graph, NodeId id, Storage& storage) {
  const Node& concat = graph.node(id);
  if (!is_channel_concat(graph, id) || !Storage::can_hold(graph, concat.output)) return;
  std::int64_t channel = 0;
  for (const ValueId input : concat.inputs) {
    if (Storage::can_hold(graph, input)) storage.place(concat.output, input, channel);
    channel += graph.shape(input)[1];
  }
}

}  // namespace

bool eliminate_concat(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (const NodeId id : order) {
    if (is_live(graph, id)) changed |= flatten(graph, id);
  }
  Storage storage(graph);
  for (const NodeId id : graph.order()) place_operands(graph, id, storage);
  return storage.apply(graph) || changed;
}

}  // namespace deeper::passes
