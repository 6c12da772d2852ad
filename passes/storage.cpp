#include "passes/storage.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// A Slice of whole images: some channels, one after the other.
bool is_channel_slice(const Graph& graph, const Node& node) {
  const auto* slice = std::get_if<Slice>(&node.op);
  if (slice == nullptr || slice->shape.size() != 4) return false;
  const Shape& from = graph.shape(node.inputs[0]);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (slice->steps[i] != 1 || (i != 1 && slice->shape[i] != from[i])) return false;
  }
  return true;
}

}  // namespace

bool Storage::can_hold(const Graph& graph, ValueId value) {
  const Type& type = graph.type(value);
  return type.dtype == DataType::f32 && type.shape.size() == 4 && graph.producer(value).valid();
}

Storage::Storage(const Graph& graph) : graph_(&graph), groups_(graph.buffers().size()) {
  for (const NodeId id : graph.order()) {
    const ValueId value = graph.node(id).output;
    const auto& slot = graph.value(value).slot;
    if (!slot) continue;
    groups_[slot->buffer.index].push_back({value, slot->channel});
    groups_of_values_[value.index] = slot->buffer.index;
  }
}

std::size_t Storage::group_of(ValueId value) {
  const auto [found, is_new] = groups_of_values_.try_emplace(value.index, groups_.size());
  if (is_new) groups_.push_back({{value, 0}});
  return found->second;
}

std::int64_t Storage::channel_of(ValueId value, std::size_t group) const {
  return std::ranges::find(groups_[group], value, &Member::value)->channel;
}

const std::vector<Storage::Element>& Storage::elements(ValueId value) {
  if (const auto found = elements_.find(value.index); found != elements_.end()) return found->second;
  std::vector<Element> result;
  const NodeId id = graph_->producer(value);
  const std::int64_t channels = graph_->shape(value)[1];
  if (id.valid() && is_channel_slice(*graph_, graph_->node(id))) {
    const std::int64_t first = std::get<Slice>(graph_->node(id).op).starts[1];
    const std::vector<Element>& all = elements(graph_->node(id).inputs[0]);
    result.assign(all.begin() + first, all.begin() + first + channels);
  } else if (id.valid() && is_channel_concat(*graph_, id)) {
    for (const ValueId input : graph_->node(id).inputs) {
      const std::vector<Element>& part = elements(input);
      result.insert(result.end(), part.begin(), part.end());
    }
  } else {
    for (std::int64_t c = 0; c < channels; ++c) result.push_back({value, c});
  }
  return elements_[value.index] = std::move(result);
}

bool Storage::agree(const Member& a, const Member& b) {
  const std::int64_t first = std::max(a.channel, b.channel);
  const std::int64_t a_end = a.channel + graph_->shape(a.value)[1];
  const std::int64_t b_end = b.channel + graph_->shape(b.value)[1];
  const std::int64_t end = std::min(a_end, b_end);
  if (first >= end) return true;
  const std::vector<Element>& of_a = elements(a.value);
  const std::vector<Element>& of_b = elements(b.value);
  return std::equal(of_a.begin() + (first - a.channel), of_a.begin() + (end - a.channel),
                    of_b.begin() + (first - b.channel));
}

bool Storage::place(ValueId whole, ValueId part, std::int64_t channel) {
  const std::size_t into = group_of(whole);
  const std::size_t from = group_of(part);
  const std::int64_t wanted = channel_of(whole, into) + channel;
  if (into == from) return channel_of(part, from) == wanted;
  Group moved = groups_[from];
  const std::int64_t shift = wanted - channel_of(part, from);
  for (Member& member : moved) member.channel += shift;
  for (const Member& a : groups_[into]) {
    for (const Member& b : moved) {
      if (!agree(a, b)) return false;
    }
  }
  for (const Member& member : moved) groups_of_values_[member.value.index] = into;
  groups_[into].insert(groups_[into].end(), moved.begin(), moved.end());
  groups_[from].clear();
  return true;
}

bool Storage::apply(Graph& graph) const {
  bool changed = false;
  for (const Group& group : groups_) {
    if (group.size() < 2) continue;
    std::int64_t first = group.front().channel;
    std::int64_t end = first;
    std::optional<BufferId> buffer;
    for (const Member& member : group) {
      first = std::min(first, member.channel);
      end = std::max(end, member.channel + graph.shape(member.value)[1]);
      const auto& slot = graph.value(member.value).slot;
      if (slot && (!buffer || slot->buffer < *buffer)) buffer = slot->buffer;
    }
    if (!buffer) buffer = graph.add_buffer("", end - first);
    if (graph.buffer(*buffer).channels != end - first) {
      graph.set_buffer_channels(*buffer, end - first);
      changed = true;
    }
    for (const Member& member : group) {
      const Slot slot{*buffer, member.channel - first};
      if (graph.value(member.value).slot == slot) continue;
      graph.set_slot(member.value, slot);
      changed = true;
    }
  }
  return changed;
}

}  // namespace deeper::passes
