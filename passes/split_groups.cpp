// A Conv of a few groups becomes one Conv a group, each reading its Slice of the channels where they lie and writing
// its part of a Concat, which eliminate_concat lays over one buffer: every kernel for one group does for many.
//
//   %y = Conv(%x, %w, %b) {groups=2}   ->   %x in $b0[0] = ...
//                                           %y/0/in in $b0[0] = Slice(%x) {starts=[0,0,0,0], ...}
//                                           %y/1/in in $b0[4] = Slice(%x) {starts=[0,4,0,0], ...}
//                                           %y/0 = Conv(%y/0/in, %y/0/weights, %y/0/bias)
//                                           %y/1 = Conv(%y/1/in, %y/1/weights, %y/1/bias)
//                                           %y = Concat(%y/0, %y/1)
//
// Exact: always. Left alone: more than 4 groups, depthwise Convs, those with a residual operand and those that read a
// graph input.
#include <fmt/format.h>

#include <utility>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

constexpr std::int64_t kMostGroups = 4;

bool applies(const Graph& graph, const Node& node) {
  const auto* conv = std::get_if<Conv>(&node.op);
  if (conv == nullptr || conv->groups == 1 || conv->groups > kMostGroups || operand(node, 3).valid()) return false;
  const Shape& in = graph.shape(node.inputs[0]);
  const ValueId bias = operand(node, 2);
  return in.size() == 4 && graph.producer(node.inputs[0]).valid() && graph.constant(node.inputs[1]) &&
         (!bias.valid() || graph.constant(bias)) && conv->groups < in[1];
}

// Part `index` of `count` equal ones along the first axis.
Tensor part_of(const Tensor& whole, Shape shape, std::int64_t index, std::int64_t count) {
  const std::span<const float> all = whole.floats();
  const std::size_t size = all.size() / static_cast<std::size_t>(count);
  const std::span<const float> part = all.subspan(static_cast<std::size_t>(index) * size, size);
  shape[0] /= count;
  return Tensor::f32(std::move(shape), {part.begin(), part.end()});
}

// Where the value lies: in a buffer of its own unless it has a place.
Slot place_of(Graph& graph, ValueId value) {
  if (!graph.value(value).slot) graph.set_slot(value, Slot{graph.add_buffer("", graph.shape(value)[1]), 0});
  return *graph.value(value).slot;
}

void split(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  Conv one = std::get<Conv>(node.op);
  const std::int64_t groups = std::exchange(one.groups, 1);
  const Slot place = place_of(graph, node.inputs[0]);
  Shape slice = graph.shape(node.inputs[0]);
  slice[1] /= groups;
  std::vector<ValueId> results;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::string name = fmt::format("{}/{}", node.name, group);
    const std::int64_t channel = group * slice[1];
    const Slice op{.starts = {0, channel, 0, 0}, .steps = {1, 1, 1, 1}, .shape = slice};
    const ValueId in = graph.insert_before(id, op, {node.inputs[0]}, name + "/in", node.origins);
    graph.set_slot(in, Slot{place.buffer, place.channel + channel});
    std::vector<ValueId> operands{in};
    for (const std::size_t constant : {1, 2}) {
      const ValueId whole = operand(node, constant);
      if (!whole.valid()) continue;
      operands.push_back(graph.add_constant(name + (constant == 1 ? "/weights" : "/bias"),
                                            part_of(*graph.constant(whole), graph.shape(whole), group, groups)));
    }
    results.push_back(graph.insert_before(id, one, operands, name, node.origins));
  }
  graph.rewrite(id, Concat{.axis = 1}, results);
}

}  // namespace

bool split_groups(Graph& graph) {
  const std::vector<NodeId> order(graph.order().begin(), graph.order().end());
  bool is_changed = false;
  for (const NodeId id : order) {
    if (!applies(graph, graph.node(id))) continue;
    split(graph, id);
    is_changed = true;
  }
  if (is_changed) graph.prune();
  return is_changed;
}

}  // namespace deeper::passes
