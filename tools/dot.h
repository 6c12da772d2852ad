#pragma once

#include <string>

#include "ir/graph.h"

namespace deeper::tools {

// The graph in Graphviz's language: a box per node with its op and result, edges for values, constants left out.
std::string to_dot(const ir::Graph& graph);

// Nodes, values and attributes as JSON; constants as their type.
std::string to_json(const ir::Graph& graph);

}  // namespace deeper::tools
