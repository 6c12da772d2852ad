// An average Pool with strides 1 and the 1x1 Conv that alone reads it change places, where that pools fewer channels or
// puts the Conv beside other 1x1 Convs of the same value.
//
//   %p = Pool(%x) {kind=average, ...}        %c = Conv(%x, %w, %b)
//   %y = Conv(%p, %w, %b)               ->   %y = Pool(%c) {kind=average, ...}
//
// Exact: always; both are linear, and a 1x1 Conv sees one pixel. The average of a bias is that bias, but not where
// padding is counted: there it becomes the Pool's.
#include <algorithm>

#include "ir/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

bool is_pointwise(const Graph& graph, const Node& node) {
  const auto* conv = std::get_if<Conv>(&node.op);
  return conv != nullptr && kernel_of(graph, node) == Extent2{1, 1} && conv->strides == Extent2{1, 1} &&
         conv->pads == Pads{0, 0, 0, 0} && conv->groups == 1;
}

bool pays(const Graph& graph, const Node& pool, const Node& conv) {
  if (graph.shape(conv.output)[1] < graph.shape(pool.output)[1]) return true;
  return std::ranges::any_of(graph.users(pool.inputs[0]), [&](NodeId user) {
    return is_pointwise(graph, graph.node(user)) && graph.node(user).inputs[0] == pool.inputs[0];
  });
}

// The Pool that node `id`, a 1x1 Conv, should come before.
std::optional<NodeId> match(const Graph& graph, NodeId id) {
  const Node& conv = graph.node(id);
  if (!is_pointwise(graph, conv) || !is_plain(conv)) return std::nullopt;
  const ValueId bias = operand(conv, 2);
  if (bias.valid() && !graph.constant(bias)) return std::nullopt;
  const auto* pool = graph.producer_as<Pool>(conv.inputs[0]);
  if (pool == nullptr || pool->kind != PoolKind::average || pool->strides != Extent2{1, 1}) return std::nullopt;
  const NodeId pool_id = graph.producer(conv.inputs[0]);
  if (pool->activation != Activation{} || operand(graph.node(pool_id), 1).valid()) return std::nullopt;
  if (!graph.has_single_use(conv.inputs[0]) || !pays(graph, graph.node(pool_id), conv)) return std::nullopt;
  return pool_id;
}

// Gives the Conv that now comes first.
NodeId commute(Graph& graph, NodeId pool_id, NodeId conv_id) {
  const Node conv = graph.node(conv_id);
  const Node pool = graph.node(pool_id);
  const Pool& window = std::get<Pool>(pool.op);
  const ValueId bias = operand(conv, 2);
  const bool averages_constants = !window.count_include_pad || window.pads == Pads{0, 0, 0, 0};
  const bool bias_last = bias.valid() && !averages_constants;

  std::vector<ValueId> operands{pool.inputs[0], conv.inputs[1]};
  if (bias.valid() && !bias_last) operands.push_back(bias);
  const ValueId first = graph.insert_before(conv_id, conv.op, operands, conv.name + "/unpooled", conv.origins);
  graph.add_origins(conv_id, pool.origins);
  std::vector<ValueId> pooled{first};
  if (bias_last) pooled.push_back(bias);
  graph.rewrite(conv_id, window, pooled);
  erase_dead(graph, pool.output);
  return graph.producer(first);
}

}  // namespace

bool commute_avg_pool(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (NodeId id : order) {
    if (!is_live(graph, id)) continue;
    for (auto pool = match(graph, id); pool; pool = match(graph, id)) {
      id = commute(graph, *pool, id);
      changed = true;
    }
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
