#include "tools/dot.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ir/print.h"

namespace deeper::tools {
namespace {

std::string dot_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

std::string_view color_of(const ir::Op& op) {
  if (std::holds_alternative<ir::Conv>(op) || std::holds_alternative<ir::MatMul>(op)) return "#cfe3f7";
  if (std::holds_alternative<ir::Pool>(op) || std::holds_alternative<ir::Reduce>(op)) return "#d8efd3";
  if (std::holds_alternative<ir::Concat>(op) || std::holds_alternative<ir::Slice>(op)) return "#f7e6c4";
  return "#eeeeee";
}

}  // namespace

std::string to_dot(const ir::Graph& graph) {
  std::string text = fmt::format(
      "digraph {} {{\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=10];\n",
      dot_string(graph.name));
  for (const ir::ValueId input : graph.inputs()) {
    text += fmt::format("  v{} [label={}, shape=ellipse];\n", input.index,
                        dot_string(graph.value(input).name + "\n" + to_string(graph.type(input))));
  }
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    text += fmt::format(
        "  v{} [label={}, fillcolor={}];\n", node.output.index,
        dot_string(fmt::format("{}\n{}\n{}", node.name, ir::print_op(node.op), to_string(graph.type(node.output)))),
        dot_string(color_of(node.op)));
    for (const ir::ValueId input : node.inputs) {
      if (input.valid() && !graph.constant(input))
        text += fmt::format("  v{} -> v{};\n", input.index, node.output.index);
    }
  }
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    text += fmt::format("  o{} [label={}, shape=ellipse];\n  v{} -> o{};\n", i, dot_string(graph.outputs()[i].name),
                        graph.outputs()[i].value.index, i);
  }
  return text + "}\n";
}

std::string to_json(const ir::Graph& graph) {
  nlohmann::ordered_json result{{"name", graph.name}};
  const auto describe = [&](ir::ValueId id) {
    return nlohmann::ordered_json{{"name", graph.value(id).name}, {"type", to_string(graph.type(id))}};
  };
  for (const ir::ValueId input : graph.inputs()) result["inputs"].push_back(describe(input));
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    nlohmann::ordered_json entry{{"name", node.name}, {"op", ir::op_name(node.op)}, {"text", ir::print_op(node.op)}};
    for (const ir::ValueId input : node.inputs) {
      entry["inputs"].push_back(input.valid() ? describe(input) : nlohmann::ordered_json());
    }
    entry["output"] = describe(node.output);
    if (const auto& slot = graph.value(node.output).slot) {
      entry["slot"] = {{"buffer", graph.buffer(slot->buffer).name}, {"channel", slot->channel}};
    }
    entry["origins"] = node.origins;
    result["nodes"].push_back(std::move(entry));
  }
  for (const ir::Output& output : graph.outputs()) {
    result["outputs"].push_back({{"name", output.name}, {"value", graph.value(output.value).name}});
  }
  return result.dump(1) + "\n";
}

}  // namespace deeper::tools
