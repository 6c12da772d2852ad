#pragma once

#include <map>
#include <set>
#include <string>

#include "ir/graph.h"
#include "passes/passes.h"

namespace deeper::tools {

// What differs between two graphs, as names of nodes' results.
struct GraphDiff {
  std::set<std::string> removed;  // in the first only
  std::set<std::string> added;    // in the second only
  std::set<std::string> changed;  // in both, with another op, other operands, another slot or other origins
};
GraphDiff difference(const ir::Graph& before, const ir::Graph& after);

// The nodes of the source model to the passes that made or changed a node standing for them.
using PassesByOrigin = std::map<std::string, std::set<std::string>>;

// Runs the pipeline on the graph and says which passes touched what.
PassesByOrigin run_passes_recorded(ir::Graph& graph, const passes::Pipeline& pipeline);

}  // namespace deeper::tools
