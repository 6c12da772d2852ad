#include "tests/unit/import_support.h"

#include <stdlib.h>

#include <fstream>

#include "ir/error.h"
#include "ir/verify.h"

namespace deeper::import_tests {
namespace {

namespace fs = std::filesystem;

onnx::AttributeProto* add_attribute(onnx::NodeProto& node, const std::string& name,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(type);
  return attribute;
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "deeper_import_XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TempFolder::~TempFolder() { fs::remove_all(path_); }

NodeBuilder& NodeBuilder::set(const std::string& name, std::int64_t value) {
  add_attribute(node_, name, onnx::AttributeProto::INT)->set_i(value);
  return *this;
}

NodeBuilder& NodeBuilder::set(const std::string& name, float value) {
  add_attribute(node_, name, onnx::AttributeProto::FLOAT)->set_f(value);
  return *this;
}

NodeBuilder& NodeBuilder::set(const std::string& name, const char* value) {
  add_attribute(node_, name, onnx::AttributeProto::STRING)->set_s(value);
  return *this;
}

NodeBuilder& NodeBuilder::set(const std::string& name, Integers value) {
  onnx::AttributeProto* attribute = add_attribute(node_, name, onnx::AttributeProto::INTS);
  attribute->mutable_ints()->Add(value.begin(), value.end());
  return *this;
}

NodeBuilder& NodeBuilder::set(const std::string& name, Floats value) {
  onnx::AttributeProto* attribute = add_attribute(node_, name, onnx::AttributeProto::FLOATS);
  attribute->mutable_floats()->Add(value.begin(), value.end());
  return *this;
}

NodeBuilder& NodeBuilder::set(const std::string& name, onnx::TensorProto value) {
  *add_attribute(node_, name, onnx::AttributeProto::TENSOR)->mutable_t() = std::move(value);
  return *this;
}

NodeBuilder& NodeBuilder::name(const std::string& name) {
  node_.set_name(name);
  return *this;
}

NodeBuilder& NodeBuilder::domain(const std::string& domain) {
  node_.set_domain(domain);
  return *this;
}

onnx::TensorProto float_tensor(const Integers& shape, const Floats& values) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.mutable_dims()->Add(shape.begin(), shape.end());
  tensor.mutable_float_data()->Add(values.begin(), values.end());
  return tensor;
}

onnx::TensorProto integer_tensor(const Integers& shape, const Integers& values, std::int32_t type) {
  onnx::TensorProto tensor;
  tensor.set_data_type(type);
  tensor.mutable_dims()->Add(shape.begin(), shape.end());
  for (const std::int64_t value : values) {
    if (type == onnx::TensorProto::INT64) {
      tensor.add_int64_data(value);
    } else {
      tensor.add_int32_data(static_cast<std::int32_t>(value));
    }
  }
  return tensor;
}

ModelBuilder::ModelBuilder(std::int64_t opset) {
  model_.set_ir_version(8);
  model_.mutable_graph()->set_name("test");
  this->opset("", opset);
}

ModelBuilder& ModelBuilder::opset(const std::string& domain, std::int64_t version) {
  onnx::OperatorSetIdProto* entry = model_.add_opset_import();
  entry->set_domain(domain);
  entry->set_version(version);
  return *this;
}

ModelBuilder& ModelBuilder::input(const std::string& name, const Dims& dims) {
  return input(name, dims, onnx::TensorProto::FLOAT);
}

ModelBuilder& ModelBuilder::input(const std::string& name, const Dims& dims, std::int32_t type) {
  onnx::ValueInfoProto* input = graph().add_input();
  input->set_name(name);
  onnx::TypeProto_Tensor* tensor = input->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (const auto& dim : dims) {
    onnx::TensorShapeProto_Dimension* entry = tensor->mutable_shape()->add_dim();
    if (const auto* extent = std::get_if<std::int64_t>(&dim)) entry->set_dim_value(*extent);
    if (const auto* param = std::get_if<std::string>(&dim); param != nullptr && !param->empty()) {
      entry->set_dim_param(*param);
    }
  }
  return *this;
}

ModelBuilder& ModelBuilder::output(const std::string& name) {
  graph().add_output()->set_name(name);
  return *this;
}

ModelBuilder& ModelBuilder::constant(const std::string& name, const Integers& shape, const Floats& values) {
  return tensor(name, float_tensor(shape, values));
}

ModelBuilder& ModelBuilder::integers(const std::string& name, const Integers& values) {
  return tensor(name, integer_tensor({static_cast<std::int64_t>(values.size())}, values, onnx::TensorProto::INT64));
}

ModelBuilder& ModelBuilder::tensor(const std::string& name, onnx::TensorProto tensor) {
  tensor.set_name(name);
  *graph().add_initializer() = std::move(tensor);
  return *this;
}

NodeBuilder ModelBuilder::node(const std::string& op_type, const Names& inputs, const Names& outputs) {
  onnx::NodeProto* node = graph().add_node();
  node->set_op_type(op_type);
  for (const std::string& input : inputs) node->add_input(input);
  for (const std::string& output : outputs) node->add_output(output);
  return NodeBuilder(*node);
}

fs::path ModelBuilder::save(const TempFolder& folder) const {
  fs::path path = folder.path() / "m.onnx";
  std::ofstream file(path, std::ios::binary);
  model_.SerializeToOstream(&file);
  return path;
}

frontend::Imported import_of(const ModelBuilder& model, const frontend::ImportOptions& options) {
  const TempFolder folder;
  frontend::Imported imported = frontend::import_model(model.save(folder), options);
  ir::verify(imported.graph, ir::Form::imported);
  return imported;
}

frontend::Imported import_of(const ModelBuilder& model) { return import_of(model, {}); }

std::string import_error(const ModelBuilder& model, const frontend::ImportOptions& options) {
  try {
    import_of(model, options);
    return {};
  } catch (const ModelError& error) {
    const std::string text = error.what();
    return text.substr(text.find("m.onnx: ") + 8);
  }
}

std::string import_error(const ModelBuilder& model) { return import_error(model, {}); }

std::vector<ir::Array> run(const ModelBuilder& model, const std::vector<ir::Array>& inputs) {
  return ir::evaluate(import_of(model).graph, inputs);
}

ir::Array ramp(const ir::Shape& shape, double start, double step) {
  ir::Array array{shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(shape)))};
  for (std::size_t i = 0; i < array.data.size(); ++i) array.data[i] = start + step * static_cast<double>(i);
  return array;
}

}  // namespace deeper::import_tests
