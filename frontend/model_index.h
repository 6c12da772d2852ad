#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "frontend/onnx_proto.h"

namespace deeper::frontend {

// What defines each value of an ONNX graph. Views and pointers are into the graph.
struct ModelIndex {
  std::unordered_map<std::string_view, const onnx::TensorProto*> initializers;
  std::unordered_map<std::string_view, const onnx::SparseTensorProto*> sparse_initializers;
  std::unordered_map<std::string_view, const onnx::ValueInfoProto*> inputs;  // without those that are initializers
  std::unordered_map<std::string_view, int> producers;                       // index of the node

  bool defines(std::string_view value) const;
};

// "node 'X' (Op)": an unnamed node goes by its first output.
std::string node_label(const onnx::NodeProto& node);
std::string node_name(const onnx::NodeProto& node);

// ModelError where a value is defined twice.
ModelIndex index_model(const onnx::GraphProto& graph);

// Indices of the nodes that `outputs` need, in an execution order that keeps the file's where that is one. ModelError
// where any node of the graph reads a value that nothing defines, or lies on a cycle.
std::vector<int> order_nodes(const onnx::GraphProto& graph, const ModelIndex& index,
                             std::span<const std::string> outputs);

}  // namespace deeper::frontend
