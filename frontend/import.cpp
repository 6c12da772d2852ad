// Reads the file, puts the bodies of its own functions in place, indexes what defines each value, binds the inputs'
// dims, and imports the nodes that the wanted outputs need, in order, each through its row of the importer table.
#include "frontend/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "frontend/bind_inputs.h"
#include "frontend/decode_tensor.h"
#include "frontend/element_type.h"
#include "frontend/importer_table.h"
#include "frontend/inline_functions.h"
#include "frontend/model_file.h"
#include "frontend/model_index.h"
#include "frontend/node_context.h"
#include "ir/error.h"

namespace deeper::frontend {
namespace {

using Opsets = std::map<std::string, std::int64_t, std::less<>>;

std::string_view canonical_domain(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

Opsets read_opsets(const onnx::ModelProto& model) {
  Opsets opsets;
  for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
    const auto [at, is_new] = opsets.emplace(canonical_domain(opset.domain()), opset.version());
    require(is_new || at->second == opset.version(), "domain '{}' is imported with opsets {} and {}", opset.domain(),
            at->second, opset.version());
  }
  const auto opset = opsets.find("");
  if (opset == opsets.end()) return opsets;
  require(opset->second >= kFirstOpset && opset->second <= kLastOpset, "opset {} is not supported, only 3 to {}",
          opset->second, kLastOpset);
  return opsets;
}

std::vector<std::string> choose_outputs(const onnx::GraphProto& graph, const ModelIndex& index,
                                        const ImportOptions& options) {
  std::vector<std::string> outputs = options.outputs;
  if (outputs.empty()) {
    for (const onnx::ValueInfoProto& output : graph.output()) outputs.push_back(output.name());
  }
  require(!outputs.empty(), "the graph has no outputs");
  std::set<std::string_view> seen;
  for (const std::string& output : outputs) {
    require(seen.insert(output).second, "output '{}' is named twice", output);
    require(index.defines(output), "output '{}' is defined nowhere", output);
  }
  return outputs;
}

// Names of all values, and of those that are read or wanted.
void collect_names(const onnx::GraphProto& graph, const ModelIndex& index, const std::vector<int>& order,
                   const std::vector<std::string>& outputs, ImportState& state) {
  for (const auto& [name, tensor] : index.initializers) state.onnx_names.insert(name);
  for (const auto& [name, tensor] : index.sparse_initializers) state.onnx_names.insert(name);
  for (const auto& [name, input] : index.inputs) state.onnx_names.insert(name);
  for (const auto& [name, node] : index.producers) state.onnx_names.insert(name);
  state.used.insert(outputs.begin(), outputs.end());
  for (const int node : order) state.used.insert(graph.node(node).input().begin(), graph.node(node).input().end());
}

class Importer {
 public:
  Importer(const onnx::ModelProto& model, const ModelIndex& index, const ExternalData& external)
      : graph_(model.graph()), index_(index), opsets_(read_opsets(model)) {
    state_.external = &external;
    state_.graph.name = model.graph().name();
  }

  Imported run(const ImportOptions& options) {
    const std::vector<std::string> outputs = choose_outputs(graph_, index_, options);
    const std::vector<int> order = order_nodes(graph_, index_, outputs);
    for (const int node : order) (void)row_of(graph_.node(node));
    collect_names(graph_, index_, order, outputs, state_);
    add_inputs(options);
    for (const int node : order) import_node(graph_.node(node));
    add_outputs(outputs);
    result_.graph = std::move(state_.graph);
    return std::move(result_);
  }

 private:
  void add_inputs(const ImportOptions& options) {
    for (BoundInput& input : bind_inputs(graph_, index_, state_.used, options)) {
      result_.inputs.push_back({input.name, element_type_name(input.onnx_type)});
      state_.values[input.name] = state_.graph.add_input(input.name, std::move(input.type));
    }
  }

  std::int64_t opset_of(const onnx::NodeProto& node) const {
    const auto opset = opsets_.find(canonical_domain(node.domain()));
    return opset != opsets_.end() ? opset->second : 0;
  }

  std::string place(const onnx::NodeProto& node) const {
    const std::string domain(canonical_domain(node.domain()));
    return fmt::format("node '{}' ({}{}{}, opset {})", node_name(node), domain, domain.empty() ? "" : ".",
                       node.op_type(), opset_of(node));
  }

  const ImporterRow& row_of(const onnx::NodeProto& node) const {
    try {
      const std::string_view domain = canonical_domain(node.domain());
      require(opsets_.contains(domain), "the model imports no opset of domain '{}'", domain);
      return find_importer(domain, node.op_type(), opset_of(node));
    } catch (const ModelError& error) {
      throw ModelError(fmt::format("{}: {}", place(node), error.what()));
    }
  }

  void import_node(const onnx::NodeProto& node) {
    try {
      for (const std::string& input : node.input()) ensure_value(input);
      NodeContext context(state_, node, opset_of(node));
      row_of(node).import(context);
    } catch (const ModelError& error) {
      const std::string prefix = place(node);
      const std::string_view text = error.what();
      throw ModelError(text.starts_with(prefix) ? std::string(text) : fmt::format("{}: {}", prefix, text));
    }
  }

  // Brings an initializer into the graph when it is first read.
  void ensure_value(const std::string& name) {
    if (name.empty() || state_.values.contains(name)) return;
    const auto dense = index_.initializers.find(name);
    const auto sparse = index_.sparse_initializers.find(name);
    if (dense == index_.initializers.end() && sparse == index_.sparse_initializers.end()) {
      throw ModelError(fmt::format("'{}' is an output that is not supported of {}", name,
                                   node_label(graph_.node(index_.producers.at(name)))));
    }
    try {
      ir::Tensor tensor = dense != index_.initializers.end() ? decode_tensor(*dense->second, *state_.external)
                                                             : decode_sparse_tensor(*sparse->second, *state_.external);
      state_.values[name] = state_.graph.add_constant(name, std::move(tensor));
    } catch (const ModelError& error) {
      throw ModelError(fmt::format("initializer '{}': {}", name, error.what()));
    }
  }

  void add_outputs(const std::vector<std::string>& outputs) {
    for (const std::string& name : outputs) {
      ensure_value(name);
      const ir::ValueId value = state_.values.at(name);
      result_.outputs.push_back({name, output_type(name, value)});
      state_.graph.add_output(name, value);
    }
  }

  // The element type the model declares for a value, else the one it has here.
  std::string output_type(const std::string& name, ir::ValueId value) const {
    for (const auto* infos : {&graph_.output(), &graph_.value_info()}) {
      for (const onnx::ValueInfoProto& info : *infos) {
        const std::int32_t type = info.type().tensor_type().elem_type();
        if (info.name() == name && type != onnx::TensorProto::UNDEFINED) return element_type_name(type);
      }
    }
    return std::string(ir::onnx_name(state_.graph.type(value).dtype));
  }

  const onnx::GraphProto& graph_;
  const ModelIndex& index_;
  Opsets opsets_;
  ImportState state_;
  Imported result_;
};

// Names of a model may hold anything; an error is one line of printable text.
std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

Imported import_model(const std::filesystem::path& path, const ImportOptions& options) {
  try {
    ModelFile file = read_model_file(path);
    inline_functions(file.model);
    const ModelIndex index = index_model(file.model.graph());
    const ExternalData external(path.parent_path());
    Imported imported = Importer(file.model, index, external).run(options);
    imported.model_hash = file.hash;
    return imported;
  } catch (const ModelError& error) {
    throw ModelError(one_line(fmt::format("{}: {}", path.string(), error.what())));
  }
}

ir::Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  return import_model(path, options).graph;
}

}  // namespace deeper::frontend
