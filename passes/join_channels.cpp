#include "passes/join_channels.h"

#include <algorithm>

#include "ir/match.h"
#include "passes/affine.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// A value as a map of `map.scale.size()` channels of x from `first` on.
struct Piece {
  ValueId x;
  std::int64_t first = 0;
  Affine map;
  std::vector<NodeId> nodes;
};

// [N, ...] for x [N, C, ...]
Shape without_channels(Shape shape) {
  shape.erase(shape.begin() + 1);
  return shape;
}

// A map of a single channel at a time when `value` may lack the channel axis: Binary with one number.
std::optional<AffineNode> match_uniform(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto* binary = std::get_if<Binary>(&node.op);
  if (binary == nullptr || graph.shape(node.output).size() < 2) return std::nullopt;
  if (!uniform_constant(graph, node.inputs[0]) && !uniform_constant(graph, node.inputs[1])) return std::nullopt;
  return match_affine(graph, id);
}

std::optional<std::int64_t> first_channel(const Graph& graph, const Node& node) {
  const Shape& from = graph.shape(node.inputs[0]);
  const Shape& to = graph.shape(node.output);
  if (const auto* slice = std::get_if<Slice>(&node.op)) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (i == 1 ? slice->steps[i] != 1 && to[i] != 1 : to[i] != from[i] || (from[i] > 1 && slice->steps[i] != 1)) {
        return std::nullopt;
      }
    }
    return slice->starts.at(1);
  }
  const auto* gather = std::get_if<Gather>(&node.op);
  if (gather == nullptr || gather->axis != 1 || !graph.constant(node.inputs[1])) return std::nullopt;
  const Tensor& index = *graph.constant(node.inputs[1]);
  if (index.size() != 1) return std::nullopt;
  return index.ints()[0] + (index.ints()[0] < 0 ? from[1] : 0);
}

// Walks from an operand of the Concat towards the value that its channels are taken from.
std::optional<Piece> trace(const Graph& graph, ValueId value) {
  const Shape& shape = graph.shape(value);
  Piece piece{.x = value, .first = 0, .map = Affine::identity(shape.at(1)), .nodes = {}};
  bool has_channels = true;
  while (graph.producer(piece.x).valid()) {
    const NodeId id = graph.producer(piece.x);
    const Node& node = graph.node(id);
    piece.nodes.push_back(id);
    const auto affine = has_channels ? match_affine(graph, id) : match_uniform(graph, id);
    if (affine) {
      Affine map = affine->map;
      map.scale.resize(piece.map.scale.size(), map.scale.front());
      map.shift.resize(piece.map.shift.size(), map.shift.front());
      piece.map = map.then(piece.map);
      piece.x = affine->x;
    } else if (std::holds_alternative<Reshape>(node.op) && shape[1] == 1) {
      const Shape& from = graph.shape(node.inputs[0]);
      if (from != shape && from != without_channels(shape)) return std::nullopt;
      has_channels = from == shape;
      piece.x = node.inputs[0];
    } else {
      const auto first = first_channel(graph, node);
      const Shape& from = graph.shape(node.inputs[0]);
      if (!first || from.size() != shape.size()) return std::nullopt;
      piece.first = *first;
      piece.x = node.inputs[0];
      return piece;
    }
  }
  return std::nullopt;
}

}  // namespace

bool join_channels(Graph& graph, NodeId id) {
  const Node concat = graph.node(id);
  const auto* op = std::get_if<Concat>(&concat.op);
  const Type type = graph.type(concat.output);
  if (op == nullptr || op->axis != 1 || type.dtype != DataType::f32 || type.shape.size() < 2) return false;
  Affine map;
  ValueId x;
  std::vector<NodeId> nodes;
  for (const ValueId value : concat.inputs) {
    const auto piece = trace(graph, value);
    if (!piece || (x.valid() && piece->x != x)) return false;
    if (piece->first != static_cast<std::int64_t>(map.scale.size())) return false;
    x = piece->x;
    map.scale.insert(map.scale.end(), piece->map.scale.begin(), piece->map.scale.end());
    map.shift.insert(map.shift.end(), piece->map.shift.begin(), piece->map.shift.end());
    nodes.insert(nodes.end(), piece->nodes.begin(), piece->nodes.end());
  }
  if (graph.type(x) != type) return false;
  for (const NodeId node : nodes) graph.add_origins(id, graph.node(node).origins);
  graph.set_slot(concat.output, std::nullopt);
  emit_affine(graph, id, x, map);
  for (const ValueId value : concat.inputs) erase_dead(graph, value);
  return true;
}

}  // namespace deeper::passes
