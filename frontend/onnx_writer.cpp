#include "frontend/onnx_writer.h"

#include <limits>

#include "ir/error.h"

namespace deeper::frontend {
namespace {

onnx::AttributeProto& add_attribute(onnx::NodeProto& node, std::string_view name,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(type);
  return attribute;
}

void describe(onnx::ValueInfoProto& info, const std::string& name, const ir::Type& type) {
  info.set_name(name);
  onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx_type(type.dtype));
  tensor.mutable_shape();
  for (const std::int64_t extent : type.shape) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

template <typename To, typename From>
void append_as(std::string& bytes, std::span<const From> elements) {
  for (const From element : elements) {
    const To number = static_cast<To>(element);
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
}

std::string raw_data(const ir::Tensor& tensor) {
  std::string bytes;
  switch (tensor.dtype()) {
    case ir::DataType::f32:
      append_as<float>(bytes, tensor.floats());
      break;
    case ir::DataType::i64:
      append_as<std::int64_t>(bytes, tensor.ints());
      break;
    case ir::DataType::i32:
      append_as<std::int32_t>(bytes, tensor.ints());
      break;
    case ir::DataType::u8:
    case ir::DataType::boolean:
      append_as<std::uint8_t>(bytes, tensor.ints());
      break;
    case ir::DataType::i8:
      append_as<std::int8_t>(bytes, tensor.ints());
      break;
  }
  return bytes;
}

}  // namespace

std::int32_t onnx_type(ir::DataType type) {
  switch (type) {
    case ir::DataType::f32:
      return onnx::TensorProto::FLOAT;
    case ir::DataType::i64:
      return onnx::TensorProto::INT64;
    case ir::DataType::i32:
      return onnx::TensorProto::INT32;
    case ir::DataType::u8:
      return onnx::TensorProto::UINT8;
    case ir::DataType::i8:
      return onnx::TensorProto::INT8;
    case ir::DataType::boolean:
      return onnx::TensorProto::BOOL;
  }
  return onnx::TensorProto::UNDEFINED;
}

void attribute(onnx::NodeProto& node, std::string_view name, std::int64_t value) {
  add_attribute(node, name, onnx::AttributeProto::INT).set_i(value);
}

void attribute(onnx::NodeProto& node, std::string_view name, float value) {
  add_attribute(node, name, onnx::AttributeProto::FLOAT).set_f(value);
}

void attribute(onnx::NodeProto& node, std::string_view name, std::string_view value) {
  add_attribute(node, name, onnx::AttributeProto::STRING).set_s(std::string(value));
}

void attribute(onnx::NodeProto& node, std::string_view name, std::span<const std::int64_t> values) {
  onnx::AttributeProto& list = add_attribute(node, name, onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) list.add_ints(value);
}

OnnxWriter::OnnxWriter(const std::string& graph_name) {
  model_.set_ir_version(8);
  model_.set_producer_name("deeper");
  onnx::OperatorSetIdProto& opset = *model_.add_opset_import();
  opset.set_domain("");
  opset.set_version(17);
  model_.mutable_graph()->set_name(graph_name);
}

void OnnxWriter::input(const std::string& name, const ir::Type& type) {
  describe(*model_.mutable_graph()->add_input(), name, type);
}

void OnnxWriter::output(const std::string& name, const ir::Type& type) {
  describe(*model_.mutable_graph()->add_output(), name, type);
}

onnx::NodeProto& OnnxWriter::node(std::string_view type, const std::string& name,
                                  const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto& node = *model_.mutable_graph()->add_node();
  node.set_op_type(std::string(type));
  node.set_name(name);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

std::string OnnxWriter::constant(const std::string& name, const ir::Tensor& tensor) {
  onnx::TensorProto& written = *model_.mutable_graph()->add_initializer();
  written.set_name(name);
  written.set_data_type(onnx_type(tensor.dtype()));
  for (const std::int64_t extent : tensor.shape()) written.add_dims(extent);
  written.set_raw_data(raw_data(tensor));
  return name;
}

std::string OnnxWriter::list(const std::string& name, const std::vector<std::int64_t>& numbers) {
  return constant(name, ir::Tensor::integer(ir::DataType::i64, {static_cast<std::int64_t>(numbers.size())}, numbers));
}

std::string OnnxWriter::serialize() const {
  if (model_.ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw ModelError("the model is above 2 GB, the most one ONNX message holds");
  }
  return model_.SerializeAsString();
}

}  // namespace deeper::frontend
