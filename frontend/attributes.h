#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "frontend/onnx_proto.h"

namespace deeper::frontend {

// Typed reading of a node's attributes. All throw ModelError where an attribute is there with another type. Attributes
// without a declared type (IR 1) go by the field that is set.
class Attributes {
 public:
  explicit Attributes(const onnx::NodeProto& node) : node_(node) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::optional<std::int64_t> integer(std::string_view name) const;
  std::optional<float> number(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  std::optional<std::vector<std::int64_t>> integers(std::string_view name) const;
  std::optional<std::vector<float>> numbers(std::string_view name) const;
  const onnx::TensorProto* tensor(std::string_view name) const;  // nullptr where absent
  const onnx::SparseTensorProto* sparse_tensor(std::string_view name) const;

  std::int64_t integer_or(std::string_view name, std::int64_t fallback) const;
  float number_or(std::string_view name, float fallback) const;
  std::string text_or(std::string_view name, std::string_view fallback) const;
  bool flag_or(std::string_view name, bool fallback) const;  // an integer, not 0
  // ModelError where absent.
  std::int64_t required_integer(std::string_view name) const;

 private:
  const onnx::AttributeProto* find(std::string_view name) const;
  const onnx::AttributeProto* find(std::string_view name, onnx::AttributeProto::AttributeType type) const;

  const onnx::NodeProto& node_;
};

}  // namespace deeper::frontend
