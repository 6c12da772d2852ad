#pragma once

#include <vector>

#include "ir/evaluate.h"

namespace deeper::ir {

struct Typed {
  DataType dtype;
  Array array;
};

inline Typed f32(Shape shape, std::vector<double> data) { return {DataType::f32, {std::move(shape), std::move(data)}}; }
inline Typed i64(Shape shape, std::vector<double> data) { return {DataType::i64, {std::move(shape), std::move(data)}}; }
inline Typed boolean(Shape shape, std::vector<double> data) {
  return {DataType::boolean, {std::move(shape), std::move(data)}};
}
inline Typed absent() { return {DataType::f32, {{}, {}}}; }

// A graph of the one op on graph inputs; operands made by absent() are left out.
inline Graph graph_of(const Op& op, const std::vector<Typed>& operands) {
  Graph graph;
  std::vector<ValueId> ids;
  for (const Typed& operand : operands) {
    ids.push_back(operand.array.data.empty() && operand.array.shape.empty()
                      ? ValueId{}
                      : graph.add_input("x", {operand.dtype, operand.array.shape}));
  }
  graph.add_output("y", graph.add_node(op, ids, "y"));
  return graph;
}

inline Array run_with(const Op& op, const std::vector<Typed>& operands, const EvaluateOptions& options) {
  const Graph graph = graph_of(op, operands);
  std::vector<Array> inputs;
  for (const Typed& operand : operands) {
    if (!operand.array.data.empty() || !operand.array.shape.empty()) inputs.push_back(operand.array);
  }
  return evaluate(graph, inputs, options).at(0);
}

inline Array run(const Op& op, const std::vector<Typed>& operands) { return run_with(op, operands, EvaluateOptions{}); }

// What the op gives, without the shape.
inline std::vector<double> numbers(const Op& op, const std::vector<Typed>& operands) { return run(op, operands).data; }

}  // namespace deeper::ir
