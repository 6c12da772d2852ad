#include "tests/conformance/node_case.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "frontend/onnx_proto.h"
#include "frontend/tensor_file.h"
#include "ir/error.h"

namespace deeper::conformance {
namespace {

namespace fs = std::filesystem;

template <typename Message>
Message parse_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  Message message;
  if (!message.ParseFromIstream(&file)) throw ModelError(fmt::format("{} is not a message", path.string()));
  return message;
}

std::vector<fs::path> numbered(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> files;
  for (int k = 0; fs::exists(folder / fmt::format("{}_{}.pb", prefix, k)); ++k) {
    files.push_back(folder / fmt::format("{}_{}.pb", prefix, k));
  }
  return files;
}

// Graph inputs that the data set feeds, in order.
std::vector<std::string> input_names(const onnx::GraphProto& graph) {
  std::set<std::string> initializers;
  for (const onnx::TensorProto& tensor : graph.initializer()) initializers.insert(tensor.name());
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (!initializers.contains(input.name())) names.push_back(input.name());
  }
  return names;
}

// Writes the case's model with inputs `first` and later as initializers holding what the data set feeds.
fs::path write_with_constants(const NodeCase& node_case, const fs::path& data, std::size_t first,
                              const fs::path& scratch) {
  auto model = parse_file<onnx::ModelProto>(node_case.folder / "model.onnx");
  const std::vector<std::string> names = input_names(model.graph());
  const std::vector<fs::path> files = numbered(data, "input");
  for (std::size_t i = first; i < std::min(names.size(), files.size()); ++i) {
    auto tensor = parse_file<onnx::TensorProto>(files[i]);
    tensor.set_name(names[i]);
    *model.mutable_graph()->add_initializer() = std::move(tensor);
  }
  const fs::path path = scratch / (node_case.name + ".onnx");
  std::ofstream file(path, std::ios::binary);
  model.SerializeToOstream(&file);
  return path;
}

// What a value of this type may be off by on its own: half a unit in the last place.
double storage_tolerance(const std::string& onnx_type) {
  if (onnx_type == "float16") return 0x1p-11;
  if (onnx_type == "bfloat16") return 0x1p-8;
  return 0;
}

std::string compare(const ir::Array& actual, const ir::Array& expected, double relative, double absolute) {
  if (actual.shape != expected.shape) {
    return fmt::format("shape [{}], expected [{}]", fmt::join(actual.shape, ","), fmt::join(expected.shape, ","));
  }
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double a = actual.data[i];
    const double e = expected.data[i];
    const bool same = a == e || (std::isnan(a) && std::isnan(e));
    if (!same && !(std::fabs(a - e) <= absolute + relative * std::fabs(e))) {
      return fmt::format("element {} is {}, expected {}", i, a, e);
    }
  }
  return {};
}

std::string run_data_set(const fs::path& data, std::size_t inputs, const frontend::Imported& imported,
                         const Engine& engine) {
  std::vector<ir::Array> arrays;
  for (std::size_t i = 0; i < inputs; ++i) {
    const ir::Tensor tensor = frontend::read_tensor_file(data / fmt::format("input_{}.pb", i)).tensor;
    arrays.push_back(ir::to_array(tensor));
  }
  const std::vector<ir::Array> actual = engine.run(imported.graph, arrays);
  const std::vector<fs::path> expected = numbered(data, "output");
  if (actual.size() != expected.size()) return fmt::format("{} outputs, expected {}", actual.size(), expected.size());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const ir::Array wanted = ir::to_array(frontend::read_tensor_file(expected[k]).tensor);
    const double relative = engine.relative_tolerance + storage_tolerance(imported.outputs[k].onnx_type);
    const std::string text = compare(actual[k], wanted, relative, engine.absolute_tolerance);
    if (!text.empty()) return fmt::format("output {}: {}", k, text);
  }
  return {};
}

// One way to import: the model as it stands, or with inputs from `constants_from` on as constants.
Result attempt(const NodeCase& node_case, const fs::path& data, std::optional<std::size_t> constants_from,
               const Engine& engine, const fs::path& scratch) {
  frontend::Imported imported;
  try {
    const fs::path path = constants_from ? write_with_constants(node_case, data, *constants_from, scratch)
                                         : node_case.folder / "model.onnx";
    imported = frontend::import_model(path, {});
  } catch (const ModelError& error) {
    return {Outcome::refused, error.what()};
  }
  try {
    const std::string text = run_data_set(data, imported.inputs.size(), imported, engine);
    return {text.empty() ? Outcome::passed : Outcome::failed, text};
  } catch (const std::exception& error) {
    return {Outcome::failed, error.what()};
  }
}

}  // namespace

std::vector<NodeCase> find_cases(const fs::path& root) {
  std::vector<NodeCase> cases;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    if (fs::exists(entry.path() / "model.onnx")) cases.push_back({entry.path().filename().string(), entry.path()});
  }
  std::ranges::sort(cases, {}, &NodeCase::name);
  return cases;
}

Result run_case(const NodeCase& node_case, const Engine& engine, const fs::path& scratch) {
  Result result{Outcome::refused, "has no data"};
  for (int k = 0; fs::exists(node_case.folder / fmt::format("test_data_set_{}", k)); ++k) {
    const fs::path data = node_case.folder / fmt::format("test_data_set_{}", k);
    result = attempt(node_case, data, std::nullopt, engine, scratch);
    const std::string first_reason = result.text;
    for (const std::size_t constants_from : {1U, 0U}) {
      if (result.outcome == Outcome::refused) result = attempt(node_case, data, constants_from, engine, scratch);
    }
    if (result.outcome == Outcome::refused) result.text = first_reason;
    if (result.outcome != Outcome::passed) return result;
  }
  return result;
}

}  // namespace deeper::conformance
