#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

std::optional<NodeId> only_user(const Graph& graph, ValueId value) {
  if (!graph.has_single_use(value)) return std::nullopt;
  return graph.users(value).front();
}

bool is_live(const Graph& graph, NodeId id) { return graph.producer(graph.node(id).output) == id; }

void erase_dead(Graph& graph, ValueId value) {
  const NodeId id = graph.producer(value);
  if (!id.valid() || graph.is_output(value) || !graph.users(value).empty()) return;
  const std::vector<ValueId> inputs = graph.node(id).inputs;
  graph.erase(id);
  for (const ValueId input : inputs) {
    if (input.valid()) erase_dead(graph, input);
  }
}

std::optional<Activation> fusable_activation(const Op& op) {
  const auto* unary = std::get_if<Unary>(&op);
  if (unary == nullptr) return std::nullopt;
  const Function function = unary->function.function;
  const bool fusable = function == Function::relu || function == Function::leaky_relu || function == Function::clip ||
                       function == Function::sigmoid || function == Function::tanh;
  return fusable ? std::optional(unary->function) : std::nullopt;
}

bool is_plain(const Node& conv_or_matmul) {
  if (const auto* conv = std::get_if<Conv>(&conv_or_matmul.op)) {
    return conv->activation == Activation{} && !operand(conv_or_matmul, 3).valid();
  }
  const auto* matmul = std::get_if<MatMul>(&conv_or_matmul.op);
  return matmul != nullptr && matmul->activation == Activation{};
}

ValueId operand(const Node& node, std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : ValueId{}; }

bool is_channel_concat(const Graph& graph, NodeId id) {
  const auto* concat = std::get_if<Concat>(&graph.node(id).op);
  if (concat == nullptr || concat->axis != 1) return false;
  const Type& type = graph.type(graph.node(id).output);
  return type.dtype == DataType::f32 && type.shape.size() == 4;
}

}  // namespace deeper::passes
