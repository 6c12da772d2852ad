#include "passes/views.h"

namespace deeper::passes {
namespace {

// Whether the axes longer than 1 keep their order.
bool moves_only_ones(const ir::Shape& shape, std::span<const std::int64_t> perm) {
  std::int64_t last = -1;
  for (const std::int64_t axis : perm) {
    if (shape[static_cast<std::size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

void bypass(ir::Graph& graph, ir::NodeId id) {
  const ir::ValueId operand = graph.node(id).inputs[0];
  graph.replace_uses(graph.node(id).output, operand);
  graph.erase(id);
}

// Makes `id` read what its producer reads, with the given op; the producer goes where nothing else reads it.
void skip_producer(ir::Graph& graph, ir::NodeId id, ir::Op op) {
  const ir::ValueId between = graph.node(id).inputs[0];
  const ir::NodeId producer = graph.producer(between);
  graph.rewrite(id, std::move(op), {graph.node(producer).inputs[0]});
  graph.add_origins(id, graph.node(producer).origins);
  if (graph.users(between).empty() && !graph.is_output(between)) graph.erase(producer);
}

bool simplify_reshape(ir::Graph& graph, ir::NodeId id) {
  const ir::Reshape op = std::get<ir::Reshape>(graph.node(id).op);
  const ir::ValueId operand = graph.node(id).inputs[0];
  if (graph.shape(operand) == op.shape) {
    bypass(graph, id);
    return true;
  }
  if (graph.producer_as<ir::Reshape>(operand) == nullptr) return false;
  skip_producer(graph, id, op);
  simplify_view(graph, id);
  return true;
}

bool simplify_transpose(ir::Graph& graph, ir::NodeId id) {
  const ir::Transpose op = std::get<ir::Transpose>(graph.node(id).op);
  const ir::ValueId operand = graph.node(id).inputs[0];
  if (is_identity(op.perm)) {
    bypass(graph, id);
    return true;
  }
  if (const auto* inner = graph.producer_as<ir::Transpose>(operand)) {
    skip_producer(graph, id, ir::Transpose{compose(inner->perm, op.perm)});
    simplify_view(graph, id);
    return true;
  }
  if (!moves_only_ones(graph.shape(operand), op.perm)) return false;
  graph.rewrite(id, ir::Reshape{graph.shape(graph.node(id).output)}, {operand});
  simplify_view(graph, id);
  return true;
}

}  // namespace

std::vector<std::int64_t> compose(std::span<const std::int64_t> inner, std::span<const std::int64_t> outer) {
  std::vector<std::int64_t> result;
  for (const std::int64_t axis : outer) result.push_back(inner[static_cast<std::size_t>(axis)]);
  return result;
}

std::vector<std::int64_t> inverse(std::span<const std::int64_t> perm) {
  std::vector<std::int64_t> result(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i)
    result[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  return result;
}

bool is_identity(std::span<const std::int64_t> perm) {
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

bool simplify_view(ir::Graph& graph, ir::NodeId id) {
  if (graph.value(graph.node(id).output).slot) return false;
  if (std::holds_alternative<ir::Reshape>(graph.node(id).op)) return simplify_reshape(graph, id);
  if (std::holds_alternative<ir::Transpose>(graph.node(id).op)) return simplify_transpose(graph, id);
  return false;
}

}  // namespace deeper::passes
