#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

#include "frontend/import.h"
#include "frontend/onnx_proto.h"
#include "ir/evaluate.h"

namespace deeper::import_tests {

using Names = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Dims = std::vector<std::variant<std::int64_t, std::string>>;  // a name for a symbolic one, "" for an unnamed one

// A folder that goes with its files when the test ends.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A node that takes attributes one by one: model.node(...).set("axis", 1).set("mode", "edge").
class NodeBuilder {
 public:
  explicit NodeBuilder(onnx::NodeProto& node) : node_(node) {}
  NodeBuilder& set(const std::string& name, std::int64_t value);
  NodeBuilder& set(const std::string& name, int value) { return set(name, std::int64_t{value}); }
  NodeBuilder& set(const std::string& name, float value);
  NodeBuilder& set(const std::string& name, const char* value);
  NodeBuilder& set(const std::string& name, Integers value);
  NodeBuilder& set(const std::string& name, Floats value);
  NodeBuilder& set(const std::string& name, onnx::TensorProto value);
  NodeBuilder& name(const std::string& name);
  NodeBuilder& domain(const std::string& domain);

 private:
  onnx::NodeProto& node_;
};

onnx::TensorProto float_tensor(const Integers& shape, const Floats& values);
onnx::TensorProto integer_tensor(const Integers& shape, const Integers& values, std::int32_t type);

// An ONNX model in memory.
class ModelBuilder {
 public:
  explicit ModelBuilder(std::int64_t opset);
  ModelBuilder& opset(const std::string& domain, std::int64_t version);
  ModelBuilder& input(const std::string& name, const Dims& dims);
  ModelBuilder& input(const std::string& name, const Dims& dims, std::int32_t type);
  ModelBuilder& output(const std::string& name);
  ModelBuilder& constant(const std::string& name, const Integers& shape, const Floats& values);
  ModelBuilder& integers(const std::string& name, const Integers& values);  // int64, rank 1
  ModelBuilder& tensor(const std::string& name, onnx::TensorProto tensor);
  NodeBuilder node(const std::string& op_type, const Names& inputs, const Names& outputs);

  onnx::ModelProto& proto() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  std::filesystem::path save(const TempFolder& folder) const;  // FOLDER/m.onnx

 private:
  onnx::ModelProto model_;
};

frontend::Imported import_of(const ModelBuilder& model, const frontend::ImportOptions& options);
frontend::Imported import_of(const ModelBuilder& model);
// What the ModelError says; empty where the import succeeds.
std::string import_error(const ModelBuilder& model, const frontend::ImportOptions& options);
std::string import_error(const ModelBuilder& model);

// Imports, verifies and evaluates in double.
std::vector<ir::Array> run(const ModelBuilder& model, const std::vector<ir::Array>& inputs);

// 0, 1, 2, ... times `step`, from `start`.
ir::Array ramp(const ir::Shape& shape, double start, double step);

}  // namespace deeper::import_tests
