#pragma once

#include "ir/graph.h"

namespace deeper::passes {

// Where the node is a Concat along axis 1 of affine maps of pieces of one value, in order and covering it, makes it
// one affine map of that value, and gives true. A piece is a Slice or Gather of channels, reshaped to have the axis
// again where a Gather took it away. torchvision's transform_input is three of them.
bool join_channels(ir::Graph& graph, ir::NodeId id);

}  // namespace deeper::passes
