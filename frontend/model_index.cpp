#include "frontend/model_index.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/error.h"

namespace deeper::frontend {
namespace {

[[noreturn]] void defined_twice(std::string_view value) {
  throw ModelError(fmt::format("value '{}' is defined twice", value));
}

// Where a depth-first walk over producers stands in one node.
struct Visit {
  int node = 0;
  int next_input = 0;
};

class Walk {
 public:
  Walk(const onnx::GraphProto& graph, const ModelIndex& index)
      : graph_(graph), index_(index), marks_(static_cast<std::size_t>(graph.node_size()), Mark::unseen) {}

  // Appends every producer that `root` depends on, then `root`.
  void from(int root) {
    enter(root);
    while (!stack_.empty()) {
      Visit& top = stack_.back();
      const onnx::NodeProto& node = graph_.node(top.node);
      if (top.next_input == node.input_size()) {
        mark(top.node) = Mark::done;
        order_.push_back(top.node);
        stack_.pop_back();
        continue;
      }
      const std::string& value = node.input(top.next_input++);
      if (value.empty()) continue;
      const auto producer = index_.producers.find(value);
      if (producer != index_.producers.end()) {
        enter(producer->second);
      } else if (!index_.defines(value)) {
        throw ModelError(fmt::format("{}: input '{}' is defined nowhere", node_label(node), value));
      }
    }
  }

  std::vector<int> take_order() { return std::move(order_); }

 private:
  enum class Mark : std::uint8_t { unseen, open, done };

  Mark& mark(int node) { return marks_[static_cast<std::size_t>(node)]; }

  void enter(int node) {
    if (mark(node) == Mark::done) return;
    if (mark(node) == Mark::open) {
      throw ModelError(fmt::format("{} lies on a cycle", node_label(graph_.node(node))));
    }
    mark(node) = Mark::open;
    stack_.push_back({node, 0});
  }

  const onnx::GraphProto& graph_;
  const ModelIndex& index_;
  std::vector<Mark> marks_;
  std::vector<Visit> stack_;
  std::vector<int> order_;
};

std::vector<bool> needed_nodes(const onnx::GraphProto& graph, const ModelIndex& index, std::span<const int> order,
                               std::span<const std::string> outputs) {
  std::vector<bool> needed(static_cast<std::size_t>(graph.node_size()), false);
  const auto need = [&](const std::string& value) {
    const auto producer = index.producers.find(value);
    if (producer != index.producers.end()) needed[static_cast<std::size_t>(producer->second)] = true;
  };
  for (const std::string& output : outputs) need(output);
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    if (needed[static_cast<std::size_t>(*it)]) std::ranges::for_each(graph.node(*it).input(), need);
  }
  return needed;
}

}  // namespace

bool ModelIndex::defines(std::string_view value) const {
  return initializers.contains(value) || inputs.contains(value) || producers.contains(value) ||
         sparse_initializers.contains(value);
}

std::string node_name(const onnx::NodeProto& node) {
  if (!node.name().empty() || node.output_size() == 0) return node.name();
  return node.output(0);
}

std::string node_label(const onnx::NodeProto& node) {
  return fmt::format("node '{}' ({})", node_name(node), node.op_type());
}

ModelIndex index_model(const onnx::GraphProto& graph) {
  ModelIndex index;
  for (const onnx::TensorProto& tensor : graph.initializer()) {
    if (!index.initializers.emplace(tensor.name(), &tensor).second) defined_twice(tensor.name());
  }
  for (const onnx::SparseTensorProto& tensor : graph.sparse_initializer()) {
    if (index.defines(tensor.values().name())) defined_twice(tensor.values().name());
    index.sparse_initializers.emplace(tensor.values().name(), &tensor);
  }
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (index.initializers.contains(input.name()) || index.sparse_initializers.contains(input.name())) continue;
    if (!index.inputs.emplace(input.name(), &input).second) defined_twice(input.name());
  }
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& output : graph.node(i).output()) {
      if (output.empty()) continue;
      if (index.defines(output)) defined_twice(output);
      index.producers.emplace(output, i);
    }
  }
  return index;
}

std::vector<int> order_nodes(const onnx::GraphProto& graph, const ModelIndex& index,
                             std::span<const std::string> outputs) {
  Walk walk(graph, index);
  for (int i = 0; i < graph.node_size(); ++i) walk.from(i);
  std::vector<int> order = walk.take_order();
  const std::vector<bool> needed = needed_nodes(graph, index, order, outputs);
  std::erase_if(order, [&](int node) { return !needed[static_cast<std::size_t>(node)]; });
  return order;
}

}  // namespace deeper::frontend
