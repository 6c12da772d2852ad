#include "tools/graph_diff.h"

#include "ir/print.h"

namespace deeper::tools {
namespace {

std::map<std::string, ir::NodeId> nodes_by_result(const ir::Graph& graph) {
  std::map<std::string, ir::NodeId> nodes;
  for (const ir::NodeId id : graph.order()) nodes[graph.value(graph.node(id).output).name] = id;
  return nodes;
}

}  // namespace

GraphDiff difference(const ir::Graph& before, const ir::Graph& after) {
  GraphDiff diff;
  const auto old_nodes = nodes_by_result(before);
  const auto new_nodes = nodes_by_result(after);
  for (const auto& [name, id] : old_nodes) {
    if (!new_nodes.contains(name)) diff.removed.insert(name);
  }
  for (const auto& [name, id] : new_nodes) {
    const auto old = old_nodes.find(name);
    if (old == old_nodes.end()) {
      diff.added.insert(name);
    } else if (ir::print_node(before, old->second) != ir::print_node(after, id)) {
      diff.changed.insert(name);
    }
  }
  return diff;
}

PassesByOrigin run_passes_recorded(ir::Graph& graph, const passes::Pipeline& pipeline) {
  PassesByOrigin touched;
  ir::Graph before = graph;
  passes::RunOptions options;
  options.observe = [&](const passes::PassRun& run, const ir::Graph& after) {
    if (!run.changed) return;
    const GraphDiff diff = difference(before, after);
    for (const ir::NodeId id : after.order()) {
      const ir::Node& node = after.node(id);
      const std::string& name = after.value(node.output).name;
      if (!diff.added.contains(name) && !diff.changed.contains(name)) continue;
      for (const std::string& origin : node.origins) touched[origin].insert(run.name);
    }
    before = after;
  };
  passes::run_passes(graph, pipeline, options);
  return touched;
}

}  // namespace deeper::tools
