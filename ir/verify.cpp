// One function per invariant, in the order of verify.h.
#include "ir/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/infer.h"

namespace deeper::ir {
namespace {

template <typename... Args>
void require(bool condition, int invariant, fmt::format_string<Args...> text, Args&&... args) {
  if (condition) return;
  throw InternalError(
      fmt::format("invariant {} does not hold: {}", invariant, fmt::format(text, std::forward<Args>(args)...)));
}

std::string place(const Node& node) { return fmt::format("node '{}' ({})", node.name, op_name(node.op)); }

// Steps at which a value is written first and read last. Step k is node k of the order; inputs and constants are there
// before, outputs stay.
struct Life {
  std::int64_t begin;
  std::int64_t end;
};

// The graph and what several invariants need to know of it.
class Facts {
 public:
  const Graph& graph;

  explicit Facts(const Graph& facts_of) : graph(facts_of), lives_(graph.value_capacity(), Life{-1, -1}) {
    for (const ValueId id : graph.inputs()) add(id);
    for (std::uint32_t i = 0; i < graph.value_capacity(); ++i) {
      if (graph.constant(ValueId{i})) add(ValueId{i});
    }
    std::int64_t step = 0;
    for (const NodeId id : graph.order()) {
      const ValueId output = graph.node(id).output;
      add(output);
      if (output.index < lives_.size()) lives_[output.index] = {step, step};
      for (const ValueId input : graph.node(id).inputs) read(input, step);
      ++step;
    }
    for (const Output& output : graph.outputs()) read(output.value, step);
  }

  bool exists(ValueId id) const { return values_.contains(id.index); }
  const Life& life(ValueId id) const { return lives_[id.index]; }
  const std::vector<ValueId>& values() const { return ordered_; }

 private:
  void add(ValueId id) {
    if (id.index < graph.value_capacity() && values_.insert(id.index).second) ordered_.push_back(id);
  }
  void read(ValueId id, std::int64_t step) {
    if (id.index < lives_.size()) lives_[id.index].end = std::max(lives_[id.index].end, step);
  }

  std::vector<Life> lives_;
  std::unordered_set<std::uint32_t> values_;
  std::vector<ValueId> ordered_;
};

void check_operands(const Facts& facts) {
  std::int64_t step = 0;
  for (const NodeId id : facts.graph.order()) {
    const Node& node = facts.graph.node(id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (!input.valid()) continue;
      require(facts.exists(input) && facts.life(input).begin < step, 1, "operand {} of {} does not exist before it", i,
              place(node));
    }
    ++step;
  }
}

void check_producers(const Facts& facts) {
  std::unordered_set<std::uint32_t> seen;
  for (const NodeId id : facts.graph.order()) {
    const Node& node = facts.graph.node(id);
    require(node.output.index < facts.graph.value_capacity(), 2, "{} has no result", place(node));
    const Value& value = facts.graph.value(node.output);
    require(seen.insert(node.output.index).second, 2, "'{}' is the result of two nodes", value.name);
    require(value.producer == id, 2, "{} gives '{}', which does not name it as producer", place(node), value.name);
    require(!value.constant, 2, "'{}' is a constant and the result of {}", value.name, place(node));
  }
  for (const ValueId id : facts.values()) {
    const Value& value = facts.graph.value(id);
    require(value.producer.valid() == seen.contains(id.index), 2, "'{}' names a producer that is not in the order",
            value.name);
  }
  for (const ValueId id : facts.graph.inputs()) {
    require(!facts.graph.constant(id), 2, "input '{}' is a constant", facts.graph.value(id).name);
  }
}

void check_names(const Facts& facts) {
  std::unordered_set<std::string_view> names;
  for (const ValueId id : facts.values()) {
    const std::string& name = facts.graph.value(id).name;
    require(!name.empty(), 3, "value {} has no name", id.index);
    require(names.insert(name).second, 3, "two values are named '{}'", name);
  }
}

Type inferred(const Graph& graph, const Node& node) {
  try {
    return infer(node.op, graph, node.inputs);
  } catch (const ModelError& error) {
    require(false, 4, "{}: {}", place(node), error.what());
    throw;
  }
}

void check_types(const Facts& facts) {
  for (const NodeId id : facts.graph.order()) {
    const Node& node = facts.graph.node(id);
    const Type type = inferred(facts.graph, node);
    require(type == facts.graph.type(node.output), 4, "{} is {}, its operands give {}", place(node),
            to_string(facts.graph.type(node.output)), to_string(type));
  }
}

void check_outputs(const Facts& facts) {
  require(!facts.graph.outputs().empty(), 5, "there is no output");
  std::unordered_set<std::string_view> names;
  for (const Output& output : facts.graph.outputs()) {
    require(facts.exists(output.value), 5, "output '{}' does not exist", output.name);
    require(names.insert(output.name).second, 5, "two outputs are named '{}'", output.name);
  }
}

void check_constants(const Facts& facts) {
  for (const ValueId id : facts.values()) {
    const Value& value = facts.graph.value(id);
    require(!value.constant || value.constant->type() == value.type, 6, "constant '{}' is {}, its tensor {}",
            value.name, to_string(value.type), value.constant ? to_string(value.constant->type()) : "");
  }
}

using Tenants = std::map<std::uint32_t, std::vector<ValueId>>;  // values by the buffer they lie in

Tenants tenants_of(const Facts& facts) {
  Tenants tenants;
  for (const ValueId id : facts.values()) {
    if (facts.graph.value(id).slot) tenants[facts.graph.value(id).slot->buffer.index].push_back(id);
  }
  return tenants;
}

void check_slot(const Graph& graph, const Value& value, const Value& first) {
  require(value.slot->buffer.index < graph.buffers().size(), 7, "'{}' lies in a buffer that does not exist",
          value.name);
  const Buffer& buffer = graph.buffer(value.slot->buffer);
  const Shape& shape = value.type.shape;
  require(value.type.dtype == DataType::f32 && shape.size() == 4, 7, "'{}' in buffer '{}' is {}", value.name,
          buffer.name, to_string(value.type));
  require(value.slot->channel >= 0 && value.slot->channel <= buffer.channels - shape[1], 7,
          "'{}' has {} channels at {} of buffer '{}' with {}", value.name, shape[1], value.slot->channel, buffer.name,
          buffer.channels);
  const Shape& other = first.type.shape;
  require(shape[0] == other[0] && shape[2] == other[2] && shape[3] == other[3], 7,
          "'{}' and '{}' in buffer '{}' are {} and {}", first.name, value.name, buffer.name, to_string(first.type),
          to_string(value.type));
}

void check_slots(const Facts& facts) {
  for (const auto& [buffer, values] : tenants_of(facts)) {
    for (const ValueId id : values) {
      check_slot(facts.graph, facts.graph.value(id), facts.graph.value(values.front()));
    }
  }
}

// A channel of a value.
struct Channel {
  ValueId value;
  std::int64_t channel;
  bool operator==(const Channel&) const = default;
};

bool is_channel_slice(const Slice& op, const Shape& in) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (op.steps[i] != 1 || (i != 1 && (op.starts[i] != 0 || op.shape[i] != in[i]))) return false;
  }
  return in.size() >= 2;
}

// The channel that a Slice, Concat or Identity of channels takes its elements from; nothing for other producers.
std::optional<Channel> source(const Graph& graph, const Channel& at) {
  const NodeId producer = graph.producer(at.value);
  if (!producer.valid()) return std::nullopt;
  const Node& node = graph.node(producer);
  if (std::holds_alternative<Identity>(node.op)) return Channel{node.inputs[0], at.channel};
  if (const auto* slice = std::get_if<Slice>(&node.op)) {
    if (!is_channel_slice(*slice, graph.shape(node.inputs[0]))) return std::nullopt;
    return Channel{node.inputs[0], at.channel + slice->starts[1]};
  }
  const auto* concat = std::get_if<Concat>(&node.op);
  if (concat == nullptr || concat->axis != 1) return std::nullopt;
  std::int64_t channel = at.channel;
  for (const ValueId input : node.inputs) {
    if (channel < graph.shape(input)[1]) return Channel{input, channel};
    channel -= graph.shape(input)[1];
  }
  return std::nullopt;
}

Channel origin(const Graph& graph, Channel at) {
  while (const std::optional<Channel> before = source(graph, at)) at = *before;
  return at;
}

void check_overlap(const Facts& facts, ValueId a, ValueId b) {
  const Graph& graph = facts.graph;
  if (facts.life(a).end < facts.life(b).begin || facts.life(b).end < facts.life(a).begin) return;
  const std::int64_t start_a = graph.value(a).slot->channel;
  const std::int64_t start_b = graph.value(b).slot->channel;
  const std::int64_t end = std::min(start_a + graph.shape(a)[1], start_b + graph.shape(b)[1]);
  for (std::int64_t c = std::max(start_a, start_b); c < end; ++c) {
    require(origin(graph, {a, c - start_a}) == origin(graph, {b, c - start_b}), 8,
            "'{}' and '{}' share channel {} of buffer '{}' while both are live", graph.value(a).name,
            graph.value(b).name, c, graph.buffer(graph.value(a).slot->buffer).name);
  }
}

void check_overlaps(const Facts& facts) {
  for (const auto& [buffer, values] : tenants_of(facts)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t k = i + 1; k < values.size(); ++k) check_overlap(facts, values[i], values[k]);
    }
  }
}

void check_needed(const Facts& facts) {
  std::vector<bool> needed(facts.graph.value_capacity(), false);
  for (const Output& output : facts.graph.outputs()) needed[output.value.index] = true;
  for (std::size_t i = facts.graph.order().size(); i-- > 0;) {
    const Node& node = facts.graph.node(facts.graph.order()[i]);
    require(needed[node.output.index], 9, "no output needs {}", place(node));
    for (const ValueId input : node.inputs) {
      if (input.valid()) needed[input.index] = true;
    }
  }
}

void check_folded(const Facts& facts) {
  const Graph& graph = facts.graph;
  const auto is_large = [&](ValueId id) { return id.valid() && element_count(graph.shape(id)) > kFoldCap; };
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    require(!std::holds_alternative<Identity>(node.op), 10, "{} is left", place(node));
    const bool constant =
        std::ranges::all_of(node.inputs, [&](ValueId input) { return !input.valid() || graph.constant(input); });
    const bool large = is_large(node.output) || std::ranges::any_of(node.inputs, is_large);
    require(!constant || large, 10, "{} depends on constants only", place(node));
  }
}

}  // namespace

void verify(const Graph& graph, Form form) {
  const Facts facts(graph);
  check_operands(facts);
  check_producers(facts);
  check_names(facts);
  check_types(facts);
  check_outputs(facts);
  check_constants(facts);
  check_slots(facts);
  check_overlaps(facts);
  if (form == Form::imported) return;
  check_needed(facts);
  check_folded(facts);
}

}  // namespace deeper::ir
