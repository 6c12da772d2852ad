#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "ir/ops.h"
#include "ir/tensor.h"
#include "ir/type.h"

namespace deeper::ir {

// Ids are indices into a graph's tables, stable for the graph's lifetime. A default-made one is "none".
template <typename Tag>
struct Id {
  std::uint32_t index = std::numeric_limits<std::uint32_t>::max();
  bool valid() const { return index != std::numeric_limits<std::uint32_t>::max(); }
  auto operator<=>(const Id&) const = default;
};
using ValueId = Id<struct ValueTag>;
using NodeId = Id<struct NodeTag>;
using BufferId = Id<struct BufferTag>;

// Storage that several values share as channel slices: [N, channels, H, W] with N, H and W those of the values in it.
// A buffer belongs to no node; values with overlapping slots hold the same elements there.
struct Buffer {
  std::string name;  // unique in the graph
  std::int64_t channels = 0;
  bool operator==(const Buffer&) const = default;
};

// Where in a buffer a value of C channels lives: channels [channel, channel + C). A storage annotation only: it never
// changes what a graph computes.
struct Slot {
  BufferId buffer;
  std::int64_t channel = 0;
  bool operator==(const Slot&) const = default;
};

struct Value {
  Type type;
  std::string name;                // unique in the graph
  std::optional<Tensor> constant;  // set for a constant
  NodeId producer;                 // none for a graph input or a constant
  std::optional<Slot> slot;
};

struct Node {
  Op op;
  std::vector<ValueId> inputs;  // see ops.h; an absent optional one is none
  ValueId output;
  std::string name;
  std::vector<std::string> origins;  // names of the source model's nodes this one stands for
};

struct Output {
  std::string name;
  ValueId value;
};

// A dataflow graph in single static assignment form. Nodes are kept in an execution order.
class Graph {
  friend struct GraphBreaker;  // of the verifier's tests

 public:
  std::string name;

  // --- building; all give the new value ---
  // `name` is a wish: a number is appended where it is taken; an empty one becomes "v<K>".
  ValueId add_input(std::string name, Type type);
  ValueId add_constant(std::string name, Tensor tensor);
  // Appends a node; its result has the type ir::infer gives (ModelError where the operands do not fit).
  ValueId add_node(Op op, std::vector<ValueId> inputs, std::string name, std::vector<std::string> origins = {});
  // The same, placed before node `where` in the order. Value and node take `name`.
  ValueId insert_before(NodeId where, Op op, std::vector<ValueId> inputs, std::string name,
                        std::vector<std::string> origins = {});
  void add_output(std::string name, ValueId value);
  // The name is a wish as above; an empty one becomes "b<K>".
  BufferId add_buffer(std::string name, std::int64_t channels);

  // --- reading ---
  std::span<const NodeId> order() const { return order_; }
  std::span<const ValueId> inputs() const { return inputs_; }
  std::span<const Output> outputs() const { return outputs_; }
  std::span<const Buffer> buffers() const { return buffers_; }
  const Node& node(NodeId id) const { return nodes_.at(id.index); }
  const Value& value(ValueId id) const { return values_.at(id.index); }
  const Buffer& buffer(BufferId id) const { return buffers_.at(id.index); }
  std::size_t value_capacity() const { return values_.size(); }  // ids of values are below this
  std::size_t node_capacity() const { return nodes_.size(); }
  const Type& type(ValueId id) const { return value(id).type; }
  const Shape& shape(ValueId id) const { return value(id).type.shape; }
  const std::optional<Tensor>& constant(ValueId id) const { return value(id).constant; }
  NodeId producer(ValueId id) const { return value(id).producer; }
  // The producer's op where it is a T, else nullptr (also for inputs and constants).
  template <typename T>
  const T* producer_as(ValueId id) const {
    const NodeId node_id = producer(id);
    return node_id.valid() ? std::get_if<T>(&node(node_id).op) : nullptr;
  }
  // Nodes that read the value, in order; a node that reads it twice is listed once. Outputs are not counted.
  std::vector<NodeId> users(ValueId id) const;
  bool is_output(ValueId id) const;
  // Read by exactly one node, once, and not a graph output.
  bool has_single_use(ValueId id) const;

  // --- rewriting ---
  // Gives a node another op and operands; its result keeps id and name, and its type is inferred again.
  void rewrite(NodeId id, Op op, std::vector<ValueId> inputs);
  void set_node_name(NodeId id, std::string node_name) { nodes_.at(id.index).name = std::move(node_name); }
  void add_origins(NodeId id, std::span<const std::string> origins);
  // Every use of `from`, outputs included, reads `to` instead.
  void replace_uses(ValueId from, ValueId to);
  // Removes a node from the order and its result from use; the result must have no uses.
  void erase(NodeId id);
  // Removes a node from the order; its result stays, by the same name, as a constant. The tensor has the result's type.
  void become_constant(NodeId id, Tensor tensor);
  // Moves a node in the order to just before / just after another.
  void move_before(NodeId id, NodeId where);
  void move_after(NodeId id, NodeId where);
  void set_slot(ValueId id, std::optional<Slot> slot);
  void set_outputs(std::vector<Output> outputs) { outputs_ = std::move(outputs); }
  // Only for constants: a new tensor of the same type.
  void set_constant(ValueId id, Tensor tensor);
  void set_buffer_channels(BufferId id, std::int64_t channels) { buffers_.at(id.index).channels = channels; }
  // Drops every node and constant that no output needs; graph inputs stay. True where anything went.
  bool prune();

 private:
  ValueId new_value(std::string name, Type type);
  std::string unique_name(std::string wish);
  NodeId new_node(Op op, std::vector<ValueId> inputs, std::string name, std::vector<std::string> origins);

  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::vector<NodeId> order_;
  std::vector<ValueId> inputs_;
  std::vector<Output> outputs_;
  std::vector<Buffer> buffers_;
  std::unordered_set<std::string> names_;  // of all values
};

}  // namespace deeper::ir
