#pragma once

#include <fmt/format.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "frontend/attributes.h"
#include "frontend/external_data.h"
#include "frontend/onnx_proto.h"
#include "ir/error.h"
#include "ir/graph.h"

namespace deeper::frontend {

// What has been imported so far.
struct ImportState {
  ir::Graph graph;
  std::unordered_map<std::string, ir::ValueId> values;  // by their ONNX names
  std::unordered_set<std::string_view> onnx_names;      // of every value in the model
  std::unordered_set<std::string_view> used;            // values that a needed node reads, or that are outputs
  const ExternalData* external = nullptr;
  // Quantized values are kept as f32 numbers; once there are some, mixed element types are brought to f32.
  bool has_quantized = false;
};

// Throws ModelError with the formatted text where the condition does not hold.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw ModelError(fmt::format(text, std::forward<Args>(args)...));
}

// {extents before `axis` multiplied, extents from `axis` on multiplied}
ir::Shape flattened(const ir::Shape& shape, std::int64_t axis);

// One ONNX node while it is imported: its operands as IR values, its attributes, and the IR nodes that take its place.
// Errors thrown here carry no place; the importer adds node, operator and opset.
class NodeContext {
 public:
  NodeContext(ImportState& state, const onnx::NodeProto& node, std::int64_t opset);

  const std::string& op_type() const { return node_.op_type(); }
  std::int64_t opset() const { return opset_; }
  const Attributes& attributes() const { return attributes_; }

  // --- operands ---
  std::size_t input_count() const { return static_cast<std::size_t>(node_.input_size()); }
  bool has_input(std::size_t i) const;
  ir::ValueId input(std::size_t i) const;           // ModelError where absent
  ir::ValueId optional_input(std::size_t i) const;  // none where absent
  std::vector<ir::ValueId> inputs() const;          // all, of which none may be absent
  const ir::Type& type(ir::ValueId value) const { return state_.graph.type(value); }
  const ir::Shape& shape(ir::ValueId value) const { return state_.graph.shape(value); }
  std::int64_t rank(ir::ValueId value) const { return static_cast<std::int64_t>(shape(value).size()); }
  // A non-negative axis below `rank` from one that may count from the end.
  std::int64_t axis(std::int64_t axis, std::int64_t rank) const;
  // The same for a list, ascending and distinct.
  std::vector<std::int64_t> axes(std::vector<std::int64_t> axes, std::int64_t rank) const;

  // --- operands that must be known now ---
  std::optional<ir::Tensor> constant(ir::ValueId value) const;
  ir::Tensor required_constant(std::size_t i, std::string_view what) const;
  std::vector<std::int64_t> integers(std::size_t i, std::string_view what) const;
  std::vector<float> numbers(std::size_t i, std::string_view what) const;
  float number(std::size_t i, std::string_view what) const;  // one element
  std::int64_t integer(std::size_t i, std::string_view what) const;
  // From attribute `name` up to the opset before `since`, from operand `i` from then on; nothing where absent.
  std::optional<std::vector<std::int64_t>> integers_since(std::int64_t since, std::string_view name,
                                                          std::size_t i) const;
  ir::Tensor decode(const onnx::TensorProto& tensor) const;
  ir::Tensor decode(const onnx::SparseTensorProto& tensor) const;

  // --- results ---
  std::size_t output_count() const { return static_cast<std::size_t>(node_.output_size()); }
  bool is_used(std::size_t output) const;
  // An intermediate value.
  ir::ValueId add(ir::Op op, std::vector<ir::ValueId> inputs);
  ir::ValueId add_constant(ir::Tensor tensor);
  ir::ValueId add_scalar(float value);
  // Output `output` (the first where not given) of the ONNX node. ModelError where the node has no such output.
  void result(ir::Op op, std::vector<ir::ValueId> inputs) { result_at(0, std::move(op), std::move(inputs)); }
  void result_at(std::size_t output, ir::Op op, std::vector<ir::ValueId> inputs);
  void constant_result(ir::Tensor tensor);
  // A result given before.
  ir::ValueId output(std::size_t output) const;

  // --- small conveniences ---
  ir::ValueId unary(ir::Function function, ir::ValueId x);
  ir::ValueId binary(ir::BinaryFunction function, ir::ValueId x, ir::ValueId y);
  ir::ValueId reshape(ir::ValueId x, ir::Shape shape);  // x itself where it has that shape
  ir::ValueId cast(ir::ValueId x, ir::DataType to);     // x itself where it has that type
  bool has_quantized() const { return state_.has_quantized; }
  void set_quantized() { state_.has_quantized = true; }

 private:
  std::string fresh_name();
  ir::ValueId append(ir::Op op, std::vector<ir::ValueId> inputs, std::string value_name, std::string node_name);

  ImportState& state_;
  const onnx::NodeProto& node_;
  std::int64_t opset_;
  Attributes attributes_;
  std::string name_;  // of the ONNX node
  int intermediates_ = 0;
};

}  // namespace deeper::frontend
