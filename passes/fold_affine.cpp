// Folds constant Mul, Add, Sub and Div per channel (either operand first) into the weights and bias of the Conv or
// MatMul whose result they alone read, or of those that alone read them. Chains fold as one map; what folds nowhere
// becomes at most one Mul and one Add. First, a Concat of maps of the channels of one value, in order (torchvision's
// transform_input), becomes one map of that value.
//
//   %y = Conv(%x, %w)
//   %z = Binary(%y, %scale) {function=mul}   ->   %z = Conv(%x, %w.1)
//
//   %y = Binary(%x, %scale) {function=mul}
//   %z = Conv(%y, %w)                        ->   %z = Conv(%x, %w.1)
//
// Exact, but for one rounding of the new weights: after a Conv always; before one the factors always, the offset only
// without padding (elsewhere it stays as an Add, divided by the factor). What a Round reads directly stays as it is,
// and so does what follows a quantised value: quantisation must see the numbers that it was made for.
#include <algorithm>

#include "passes/affine.h"
#include "passes/join_channels.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// Affine nodes that feed one another and nothing else, in order.
struct Chain {
  std::vector<NodeId> nodes;
  ValueId x;
  Affine map;
};

bool is_round(const Op& op) {
  const auto* unary = std::get_if<Unary>(&op);
  return unary != nullptr && unary->function.function == Function::round;
}

bool feeds_round(const Graph& graph, ValueId value) {
  for (const NodeId user : graph.users(value)) {
    if (is_round(graph.node(user).op)) return true;
  }
  return false;
}

// The result of a QuantizeLinear: rounded, perhaps offset by the zero point, saturated.
bool is_quantised(const Graph& graph, ValueId value) {
  for (NodeId id = graph.producer(value); id.valid(); id = graph.producer(value)) {
    const Node& node = graph.node(id);
    if (is_round(node.op)) return true;
    const auto* unary = std::get_if<Unary>(&node.op);
    const auto affine = match_affine(graph, id);
    if (affine) {
      value = affine->x;
    } else if (unary != nullptr && unary->function.function == Function::clip) {
      value = node.inputs[0];
    } else {
      return false;
    }
  }
  return false;
}

// The longest chain that starts at a node which reads `x` and nothing else does.
Chain chain_from(const Graph& graph, ValueId x) {
  Chain chain{.nodes = {}, .x = x, .map = Affine::identity(graph.shape(x).at(1))};
  for (auto user = only_user(graph, x); user; user = only_user(graph, x)) {
    const auto affine = match_affine(graph, *user);
    x = graph.node(*user).output;
    if (!affine || feeds_round(graph, x)) break;
    chain.nodes.push_back(*user);
    chain.map = chain.map.then(affine->map);
  }
  return chain;
}

// The longest chain that ends in `last`.
std::optional<Chain> chain_to(const Graph& graph, NodeId last) {
  const auto affine = match_affine(graph, last);
  if (!affine || feeds_round(graph, graph.node(last).output)) return std::nullopt;
  Chain chain{.nodes = {last}, .x = affine->x, .map = affine->map};
  while (graph.producer(chain.x).valid() && graph.has_single_use(chain.x)) {
    const auto previous = match_affine(graph, graph.producer(chain.x));
    if (!previous) break;
    chain.nodes.insert(chain.nodes.begin(), graph.producer(chain.x));
    chain.map = previous->map.then(chain.map);
    chain.x = previous->x;
  }
  return chain;
}

void add_origins_of(Graph& graph, NodeId id, const std::vector<NodeId>& nodes) {
  for (const NodeId node : nodes) graph.add_origins(id, graph.node(node).origins);
}

bool fold_into_producer(Graph& graph, NodeId linear) {
  const ValueId result = graph.node(linear).output;
  if (!can_fold_after(graph, linear)) return false;
  const Chain chain = chain_from(graph, result);
  if (chain.nodes.empty()) return false;
  const NodeId last = chain.nodes.back();
  const ValueId before_last = chain.nodes.size() == 1 ? result : graph.node(chain.nodes.end()[-2]).output;
  fold_after(graph, linear, chain.map, last);
  add_origins_of(graph, last, chain.nodes);
  erase_dead(graph, before_last);
  return true;
}

// map(x) = scale (x + shift / scale): folds the factors into padded users, and adds the rest to x before them. Nothing
// where that is no gain.
std::optional<AffineNode> split_shift(Graph& graph, const Chain& chain) {
  if (!chain.map.scales() || !chain.map.invertible()) return std::nullopt;
  AffineNode scaled{.x = {}, .map = chain.map};
  std::vector<double>& shift = scaled.map.shift;
  for (std::size_t c = 0; c < shift.size(); ++c) shift[c] /= chain.map.scale[c];
  const NodeId last = chain.nodes.back();
  const std::string name = graph.node(last).name;
  const ValueId vector = channel_vector(graph, name + "/shift", shift, graph.shape(chain.x).size());
  scaled.x = graph.insert_before(last, Binary{BinaryFunction::add}, {chain.x, vector}, name + "/shifted");
  add_origins_of(graph, graph.producer(scaled.x), chain.nodes);
  shift.assign(shift.size(), 0);
  return scaled;
}

bool fold_into_users(Graph& graph, NodeId last) {
  const ValueId result = graph.node(last).output;
  if (!feeds_constant_weights_only(graph, result)) return false;
  const auto chain = chain_to(graph, last);
  if (!chain || is_quantised(graph, chain->x)) return false;
  const std::vector<NodeId> users = graph.users(result);
  const bool padded = std::ranges::any_of(users, [&](NodeId user) { return !is_unpadded(graph.node(user)); });
  std::optional<AffineNode> folded = AffineNode{.x = chain->x, .map = chain->map};
  if (padded && chain->map.shifts()) folded = split_shift(graph, *chain);
  if (!folded) return false;
  for (const NodeId user : users) {
    fold_before(graph, user, folded->map, folded->x);
    add_origins_of(graph, user, chain->nodes);
  }
  erase_dead(graph, result);
  return true;
}

// Rewrites a chain that ends in `last` as a Mul and an Add, where that makes it shorter.
bool shorten(Graph& graph, NodeId last) {
  const auto chain = chain_to(graph, last);
  if (!chain) return false;
  const auto user = only_user(graph, graph.node(last).output);
  const auto next = user ? match_affine(graph, *user) : std::nullopt;
  if (next && !feeds_round(graph, graph.node(*user).output)) return false;  // the chain goes on
  const std::size_t needed = (chain->map.scales() ? 1U : 0U) + (chain->map.shifts() ? 1U : 0U);
  if (chain->nodes.size() <= needed) return false;
  add_origins_of(graph, last, chain->nodes);
  emit_affine(graph, last, chain->x, chain->map);
  if (chain->nodes.size() > 1) erase_dead(graph, graph.node(chain->nodes.end()[-2]).output);
  return true;
}

bool for_each_node(Graph& graph, bool (*rewrite)(Graph&, NodeId)) {
  bool changed = false;
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  for (const NodeId id : order) {
    if (is_live(graph, id)) changed |= rewrite(graph, id);
  }
  return changed;
}

}  // namespace

bool fold_affine(Graph& graph) {
  bool changed = for_each_node(graph, join_channels);
  changed |= for_each_node(graph, fold_into_producer);
  changed |= for_each_node(graph, fold_into_users);
  changed |= for_each_node(graph, shorten);
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
