#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/onnx_proto.h"
#include "ir/tensor.h"

namespace deeper::frontend {

std::int32_t onnx_type(ir::DataType type);

void attribute(onnx::NodeProto& node, std::string_view name, std::int64_t value);
void attribute(onnx::NodeProto& node, std::string_view name, float value);
void attribute(onnx::NodeProto& node, std::string_view name, std::string_view value);
void attribute(onnx::NodeProto& node, std::string_view name, std::span<const std::int64_t> values);

// An ONNX model of opset 17 under construction.
class OnnxWriter {
 public:
  explicit OnnxWriter(const std::string& graph_name);
  void input(const std::string& name, const ir::Type& type);
  void output(const std::string& name, const ir::Type& type);
  onnx::NodeProto& node(std::string_view type, const std::string& name, const std::vector<std::string>& inputs,
                        const std::string& output);
  // Initializers; give their name.
  std::string constant(const std::string& name, const ir::Tensor& tensor);
  std::string list(const std::string& name, const std::vector<std::int64_t>& numbers);
  // ModelError where the model is above 2 GB.
  std::string serialize() const;

 private:
  onnx::ModelProto model_;
};

}  // namespace deeper::frontend
