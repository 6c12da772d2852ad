#include "ir/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/error.h"
#include "ir/infer.h"

namespace deeper::ir {

std::string Graph::unique_name(std::string wish) {
  if (wish.empty()) wish = fmt::format("v{}", values_.size());
  std::string result = wish;
  for (int k = 1; !names_.insert(result).second; ++k) result = fmt::format("{}.{}", wish, k);
  return result;
}

ValueId Graph::new_value(std::string wish, Type type) {
  const ValueId id{static_cast<std::uint32_t>(values_.size())};
  values_.push_back(
      {.type = std::move(type), .name = unique_name(std::move(wish)), .constant = {}, .producer = {}, .slot = {}});
  return id;
}

NodeId Graph::new_node(Op op, std::vector<ValueId> inputs, std::string wish, std::vector<std::string> origins) {
  Type type = infer(op, *this, inputs);
  const ValueId output = new_value(wish, std::move(type));
  const NodeId id{static_cast<std::uint32_t>(nodes_.size())};
  values_[output.index].producer = id;
  nodes_.push_back({.op = std::move(op),
                    .inputs = std::move(inputs),
                    .output = output,
                    .name = std::move(wish),
                    .origins = std::move(origins)});
  return id;
}

ValueId Graph::add_input(std::string wish, Type type) {
  inputs_.push_back(new_value(std::move(wish), std::move(type)));
  return inputs_.back();
}

ValueId Graph::add_constant(std::string wish, Tensor tensor) {
  const ValueId id = new_value(std::move(wish), tensor.type());
  values_[id.index].constant = std::move(tensor);
  return id;
}

ValueId Graph::add_node(Op op, std::vector<ValueId> inputs, std::string wish, std::vector<std::string> origins) {
  order_.push_back(new_node(std::move(op), std::move(inputs), std::move(wish), std::move(origins)));
  return node(order_.back()).output;
}

ValueId Graph::insert_before(NodeId where, Op op, std::vector<ValueId> inputs, std::string wish,
                             std::vector<std::string> origins) {
  const auto position = std::ranges::find(order_, where);
  DEEPER_CHECK(position != order_.end(), "inserting before a node");
  const auto offset = position - order_.begin();
  const NodeId id = new_node(std::move(op), std::move(inputs), std::move(wish), std::move(origins));
  order_.insert(order_.begin() + offset, id);
  return node(id).output;
}

void Graph::add_output(std::string wish, ValueId value) { outputs_.push_back({std::move(wish), value}); }

BufferId Graph::add_buffer(std::string wish, std::int64_t channels) {
  if (wish.empty()) wish = fmt::format("b{}", buffers_.size());
  std::string unique = wish;
  for (int k = 1; std::ranges::find(buffers_, unique, &Buffer::name) != buffers_.end(); ++k) {
    unique = fmt::format("{}.{}", wish, k);
  }
  buffers_.push_back({std::move(unique), channels});
  return {static_cast<std::uint32_t>(buffers_.size() - 1)};
}

std::vector<NodeId> Graph::users(ValueId id) const {
  std::vector<NodeId> result;
  for (const NodeId user : order_) {
    if (std::ranges::find(node(user).inputs, id) != node(user).inputs.end()) result.push_back(user);
  }
  return result;
}

bool Graph::is_output(ValueId id) const { return std::ranges::find(outputs_, id, &Output::value) != outputs_.end(); }

bool Graph::has_single_use(ValueId id) const {
  if (is_output(id)) return false;
  std::ptrdiff_t uses = 0;
  for (const NodeId user : order_) uses += std::ranges::count(node(user).inputs, id);
  return uses == 1;
}

void Graph::rewrite(NodeId id, Op op, std::vector<ValueId> inputs) {
  Type type = infer(op, *this, inputs);
  Node& target = nodes_.at(id.index);
  target.op = std::move(op);
  target.inputs = std::move(inputs);
  values_[target.output.index].type = std::move(type);
}

void Graph::add_origins(NodeId id, std::span<const std::string> origins) {
  std::vector<std::string>& all = nodes_.at(id.index).origins;
  for (const std::string& origin : origins) {
    if (std::ranges::find(all, origin) == all.end()) all.push_back(origin);
  }
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (const NodeId user : order_) std::ranges::replace(nodes_[user.index].inputs, from, to);
  for (Output& output : outputs_) {
    if (output.value == from) output.value = to;
  }
}

void Graph::erase(NodeId id) {
  const Node& dead = node(id);
  DEEPER_CHECK(users(dead.output).empty() && !is_output(dead.output), "erasing node '" + dead.name + "'");
  names_.erase(value(dead.output).name);
  values_[dead.output.index].producer = {};
  std::erase(order_, id);
}

void Graph::become_constant(NodeId id, Tensor tensor) {
  Value& result = values_.at(node(id).output.index);
  DEEPER_CHECK(result.type == tensor.type(), "making node '" + node(id).name + "' a constant");
  result.constant = std::move(tensor);
  result.producer = {};
  result.slot.reset();
  std::erase(order_, id);
}

void Graph::move_before(NodeId id, NodeId where) {
  std::erase(order_, id);
  order_.insert(std::ranges::find(order_, where), id);
}

void Graph::move_after(NodeId id, NodeId where) {
  std::erase(order_, id);
  order_.insert(std::ranges::find(order_, where) + 1, id);
}

void Graph::set_slot(ValueId id, std::optional<Slot> slot) { values_.at(id.index).slot = slot; }

void Graph::set_constant(ValueId id, Tensor tensor) {
  Value& target = values_.at(id.index);
  DEEPER_CHECK(target.constant && target.type == tensor.type(), "replacing constant '" + target.name + "'");
  target.constant = std::move(tensor);
}

bool Graph::prune() {
  std::vector<bool> needed(values_.size(), false);
  for (const Output& output : outputs_) needed[output.value.index] = true;
  std::vector<NodeId> kept;
  for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
    const Node& current = node(*it);
    if (!needed[current.output.index]) continue;
    kept.push_back(*it);
    for (const ValueId input : current.inputs) {
      if (input.valid()) needed[input.index] = true;
    }
  }
  bool changed = kept.size() != order_.size();
  for (const NodeId id : order_) {
    if (needed[node(id).output.index]) continue;
    names_.erase(value(node(id).output).name);
    values_[node(id).output.index].producer = {};
  }
  order_.assign(kept.rbegin(), kept.rend());
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (needed[i] || !values_[i].constant) continue;
    values_[i].constant.reset();
    names_.erase(values_[i].name);
    changed = true;
  }
  return changed;
}

}  // namespace deeper::ir
