// Convs with the same window, strides, dilations, pads and activation on one value become one wide Conv, and each of
// their results a Slice of its channels that lies where the wide result does. An activation that alone reads each of
// them moves into the wide Conv. Results that a Concat begins with go last, those that one ends with first, so that
// eliminate_concat can lay the Concat's result over that end of the buffer.
//
//   %a = Conv(%x, %w, %b)        %a/wide in $b0[0] = Conv(%x, %a/wide/weights, %a/wide/bias)
//   %c = Conv(%x, %v, %d)   ->   %a in $b0[0] = Slice(%a/wide) {starts=[0,0,0,0], ...}
//                                %c in $b0[2] = Slice(%a/wide) {starts=[0,2,0,0], ...}
//
// Exact: always. Left alone: grouped Convs, Convs with a residual operand, and those that fuse_residual will give one.
#include <algorithm>

#include "ir/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// A Conv and, where an activation alone reads it, that activation: `last` is the one whose result others read.
struct Sibling {
  NodeId conv;
  NodeId last;
  Conv op;  // with the activation
};
using Group = std::vector<Sibling>;

ValueId result_of(const Graph& graph, const Sibling& sibling) { return graph.node(sibling.last).output; }

std::int64_t channels_of(const Graph& graph, const Sibling& sibling) {
  return graph.shape(result_of(graph, sibling))[1];
}

bool awaits_residual(const Graph& graph, const Node& conv) {
  const auto user = only_user(graph, conv.output);
  if (!user) return false;
  const auto* binary = std::get_if<Binary>(&graph.node(*user).op);
  return binary != nullptr && binary->function == BinaryFunction::add &&
         graph.type(graph.node(*user).inputs[0]) == graph.type(graph.node(*user).inputs[1]);
}

std::optional<Sibling> match(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto* conv = std::get_if<Conv>(&node.op);
  if (conv == nullptr || conv->groups != 1 || operand(node, 3).valid()) return std::nullopt;
  const ValueId bias = operand(node, 2);
  if (!graph.constant(node.inputs[1]) || (bias.valid() && !graph.constant(bias))) return std::nullopt;
  Sibling sibling{.conv = id, .last = id, .op = *conv};
  if (is_plain(node)) {
    const auto user = only_user(graph, node.output);
    const auto activation = user ? fusable_activation(graph.node(*user).op) : std::nullopt;
    if (activation) {
      sibling.last = *user;
      sibling.op.activation = *activation;
    } else if (awaits_residual(graph, node)) {
      return std::nullopt;
    }
  }
  if (graph.value(node.output).slot || graph.value(result_of(graph, sibling)).slot) return std::nullopt;
  return sibling;
}

bool belong_together(const Graph& graph, const Sibling& a, const Sibling& b) {
  const Node& node_a = graph.node(a.conv);
  const Node& node_b = graph.node(b.conv);
  return a.op == b.op && node_a.inputs[0] == node_b.inputs[0] && kernel_of(graph, node_a) == kernel_of(graph, node_b);
}

std::vector<Group> find_groups(const Graph& graph) {
  std::vector<Group> groups;
  for (const NodeId id : graph.order()) {
    const auto sibling = match(graph, id);
    if (!sibling) continue;
    const auto group = std::ranges::find_if(
        groups, [&](const Group& candidate) { return belong_together(graph, candidate.front(), *sibling); });
    if (group == groups.end()) {
      groups.push_back({*sibling});
    } else {
      group->push_back(*sibling);
    }
  }
  std::erase_if(groups, [](const Group& group) { return group.size() < 2; });
  return groups;
}

// Operands of a Concat, those of nested Concats that only it reads in their place.
void append_leaves(const Graph& graph, NodeId concat, std::vector<ValueId>& leaves) {
  for (const ValueId input : graph.node(concat).inputs) {
    const NodeId inner = graph.producer(input);
    if (inner.valid() && is_channel_concat(graph, inner) && graph.has_single_use(input)) {
      append_leaves(graph, inner, leaves);
    } else {
      leaves.push_back(input);
    }
  }
}

// The Concats that a sibling's result is a direct part of, outermost ones, without repetition.
std::vector<NodeId> concats_of(const Graph& graph, const Group& group) {
  std::vector<NodeId> concats;
  for (const Sibling& sibling : group) {
    for (NodeId id : graph.users(result_of(graph, sibling))) {
      if (!is_channel_concat(graph, id)) continue;
      for (auto outer = only_user(graph, graph.node(id).output); outer && is_channel_concat(graph, *outer);
           outer = only_user(graph, graph.node(id).output)) {
        id = *outer;
      }
      if (std::ranges::find(concats, id) == concats.end()) concats.push_back(id);
    }
  }
  return concats;
}

// The siblings that the leaves begin with, one after the other.
template <typename Leaves>
Group run_of(const Graph& graph, const Group& group, const Leaves& leaves) {
  Group run;
  for (const ValueId leaf : leaves) {
    const auto is_leaf = [&](const Sibling& sibling) { return result_of(graph, sibling) == leaf; };
    const auto found = std::ranges::find_if(group, is_leaf);
    if (found == group.end() || std::ranges::any_of(run, is_leaf)) break;
    run.push_back(*found);
  }
  return run;
}

std::int64_t width(const Graph& graph, const Group& group) {
  std::int64_t total = 0;
  for (const Sibling& sibling : group) total += channels_of(graph, sibling);
  return total;
}

void remove(Group& group, const Group& members) {
  std::erase_if(group, [&](const Sibling& sibling) {
    return std::ranges::any_of(members, [&](const Sibling& member) { return member.conv == sibling.conv; });
  });
}

// Head of one Concat's end, others, tail of another Concat's beginning.
Group ordered(const Graph& graph, Group group) {
  Group head;
  Group tail;
  NodeId tail_concat;
  const std::vector<NodeId> concats = concats_of(graph, group);
  for (const NodeId concat : concats) {
    std::vector<ValueId> leaves;
    append_leaves(graph, concat, leaves);
    Group run = run_of(graph, group, leaves);
    if (width(graph, run) <= width(graph, tail)) continue;
    tail = std::move(run);
    tail_concat = concat;
  }
  remove(group, tail);
  for (const NodeId concat : concats) {
    if (concat == tail_concat) continue;
    std::vector<ValueId> leaves;
    append_leaves(graph, concat, leaves);
    std::ranges::reverse(leaves);
    Group run = run_of(graph, group, leaves);
    if (width(graph, run) > width(graph, head)) head = std::move(run);
  }
  remove(group, head);
  std::ranges::reverse(head);
  head.insert(head.end(), group.begin(), group.end());
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

// Weights (operand 1) or bias (operand 2) of all, one after the other; zeros for an absent bias.
Tensor joined(const Graph& graph, const Group& group, std::size_t index) {
  std::vector<float> data;
  for (const Sibling& sibling : group) {
    const ValueId value = operand(graph.node(sibling.conv), index);
    if (value.valid()) {
      const std::span<const float> part = graph.constant(value)->floats();
      data.insert(data.end(), part.begin(), part.end());
    } else {
      data.resize(data.size() + static_cast<std::size_t>(channels_of(graph, sibling)));
    }
  }
  Shape shape = graph.shape(operand(graph.node(group.front().conv), 1));
  shape[0] = width(graph, group);
  if (index == 2) shape.resize(1);
  return Tensor::f32(std::move(shape), std::move(data));
}

// The wide Conv, placed before the first of the group.
ValueId insert_wide(Graph& graph, const Group& group, const Sibling& first) {
  const auto has_bias = [&](const Sibling& sibling) { return operand(graph.node(sibling.conv), 2).valid(); };
  const std::string name = graph.node(first.last).name + "/wide";
  std::vector<ValueId> operands{graph.node(first.conv).inputs[0],
                                graph.add_constant(name + "/weights", joined(graph, group, 1))};
  if (std::ranges::any_of(group, has_bias)) {
    operands.push_back(graph.add_constant(name + "/bias", joined(graph, group, 2)));
  }
  std::vector<std::string> origins;
  for (const Sibling& sibling : group) {
    const std::vector<std::string>& of_conv = graph.node(sibling.conv).origins;
    origins.insert(origins.end(), of_conv.begin(), of_conv.end());
  }
  const ValueId wide = graph.insert_before(first.conv, first.op, operands, name, origins);
  for (const Sibling& sibling : group) graph.add_origins(graph.producer(wide), graph.node(sibling.last).origins);
  return wide;
}

void merge(Graph& graph, const Group& in_order_of_graph) {
  const Group group = ordered(graph, in_order_of_graph);
  const ValueId wide = insert_wide(graph, group, in_order_of_graph.front());
  const BufferId buffer = graph.add_buffer("", graph.shape(wide)[1]);
  graph.set_slot(wide, Slot{buffer, 0});
  std::int64_t channel = 0;
  for (const Sibling& sibling : group) {
    const ValueId result = result_of(graph, sibling);
    const Shape shape = graph.shape(result);
    graph.rewrite(sibling.last, Slice{.starts = {0, channel, 0, 0}, .steps = {1, 1, 1, 1}, .shape = shape}, {wide});
    if (sibling.last != sibling.conv) erase_dead(graph, graph.node(sibling.conv).output);
    graph.set_slot(result, Slot{buffer, channel});
    channel += shape[1];
  }
}

}  // namespace

bool merge_sibling_convs(Graph& graph) {
  const std::vector<Group> groups = find_groups(graph);
  for (const Group& group : groups) merge(graph, group);
  if (!groups.empty()) graph.prune();
  return !groups.empty();
}

}  // namespace deeper::passes
