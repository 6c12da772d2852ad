// Depth first over a stack of nodes still to place: a call is replaced on the stack by its body.
#include "frontend/inline_functions.h"

#include <fmt/format.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "frontend/model_index.h"
#include "ir/error.h"

namespace deeper::frontend {
namespace {

constexpr std::size_t kMostNodes = 1'000'000;
constexpr int kDeepest = 32;

using Key = std::pair<std::string, std::string>;  // domain, name
using Functions = std::map<Key, const onnx::FunctionProto*>;

struct Pending {
  onnx::NodeProto node;
  int depth = 0;  // of calls around it
};

std::int64_t default_opset(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& opsets) {
  for (const onnx::OperatorSetIdProto& opset : opsets) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") return opset.version();
  }
  return 0;
}

// The function's defaults where the installed library knows them.
template <typename Function>
void append_known_defaults(const Function& function, std::vector<onnx::AttributeProto>& all) {
  if constexpr (requires { function.attribute_proto(); }) {
    all.insert(all.end(), function.attribute_proto().begin(), function.attribute_proto().end());
  }
}

// The attributes of a call: those it gives, then the function's defaults, field 11, which older libraries do not know.
std::vector<onnx::AttributeProto> call_attributes(const onnx::FunctionProto& function, const onnx::NodeProto& call) {
  std::vector<onnx::AttributeProto> all(call.attribute().begin(), call.attribute().end());
  append_known_defaults(function, all);
  const google::protobuf::UnknownFieldSet& unknown = function.GetReflection()->GetUnknownFields(function);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const google::protobuf::UnknownField& field = unknown.field(i);
    if (field.number() != 11 || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) continue;
    onnx::AttributeProto attribute;
    if (!attribute.ParsePartialFromString(field.length_delimited())) throw ModelError("a function is malformed");
    all.push_back(std::move(attribute));
  }
  return all;
}

// Attributes that refer to those of the call take their values, or go where the call has none.
void bind_attributes(onnx::NodeProto& node, const std::vector<onnx::AttributeProto>& of_call) {
  auto* attributes = node.mutable_attribute();
  for (int i = attributes->size(); i-- > 0;) {
    const std::string reference = (*attributes)[i].ref_attr_name();
    if (reference.empty()) continue;
    const std::string name = (*attributes)[i].name();
    const auto given = std::ranges::find(of_call, reference, &onnx::AttributeProto::name);
    if (given == of_call.end()) {
      attributes->DeleteSubrange(i, 1);
    } else {
      (*attributes)[i] = *given;
      (*attributes)[i].set_name(name);
    }
  }
}

// The function's nodes with the names they have at this call.
std::vector<onnx::NodeProto> body_of(const onnx::FunctionProto& function, const onnx::NodeProto& call,
                                     const std::string& prefix) {
  std::map<std::string, std::string> names = {{"", ""}};
  for (int i = 0; i < function.input_size(); ++i) names[function.input(i)] = i < call.input_size() ? call.input(i) : "";
  for (int i = 0; i < function.output_size(); ++i) {
    if (i < call.output_size() && !call.output(i).empty()) names[function.output(i)] = call.output(i);
  }
  const auto rename = [&](std::string& value) {
    const auto [at, is_new] = names.emplace(value, prefix + value);
    value = at->second;
  };
  const std::vector<onnx::AttributeProto> attributes = call_attributes(function, call);
  std::vector<onnx::NodeProto> body(function.node().begin(), function.node().end());
  for (onnx::NodeProto& node : body) {
    std::ranges::for_each(*node.mutable_input(), rename);
    std::ranges::for_each(*node.mutable_output(), rename);
    if (!node.name().empty()) node.set_name(prefix + node.name());
    bind_attributes(node, attributes);
  }
  return body;
}

// A prefix that no other call has.
std::string call_prefix(const onnx::NodeProto& call, std::set<std::string>& taken) {
  std::string prefix = node_name(call) + "/";
  for (int k = 1; !taken.insert(prefix).second; ++k) prefix = fmt::format("{}.{}/", node_name(call), k);
  return prefix;
}

}  // namespace

void inline_functions(onnx::ModelProto& model) {
  Functions functions;
  for (const onnx::FunctionProto& function : model.functions()) {
    functions.emplace(Key{function.domain(), function.name()}, &function);
  }
  if (functions.empty()) return;
  onnx::GraphProto& graph = *model.mutable_graph();
  std::vector<Pending> pending;
  for (auto it = graph.mutable_node()->rbegin(); it != graph.mutable_node()->rend(); ++it) pending.push_back({*it, 0});
  std::vector<onnx::NodeProto> placed;
  std::set<std::string> prefixes;
  while (!pending.empty()) {
    const Pending next = std::move(pending.back());
    pending.pop_back();
    const auto function = functions.find({next.node.domain(), next.node.op_type()});
    if (function == functions.end()) {
      placed.push_back(next.node);
      continue;
    }
    const std::int64_t opset = default_opset(function->second->opset_import());
    if (opset != 0 && opset != default_opset(model.opset_import())) {
      throw ModelError(fmt::format("{} is a function in opset {}, the model in another", node_label(next.node), opset));
    }
    if (next.depth == kDeepest || placed.size() + pending.size() > kMostNodes) {
      throw ModelError(fmt::format("{} is a function whose calls have no end", node_label(next.node)));
    }
    std::vector<onnx::NodeProto> body = body_of(*function->second, next.node, call_prefix(next.node, prefixes));
    for (auto it = body.rbegin(); it != body.rend(); ++it) pending.push_back({std::move(*it), next.depth + 1});
  }
  graph.mutable_node()->Clear();
  for (onnx::NodeProto& node : placed) *graph.add_node() = std::move(node);
}

}  // namespace deeper::frontend
