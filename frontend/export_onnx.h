#pragma once

#include <string>

#include "ir/graph.h"

namespace deeper::frontend {

// The graph as a serialized ONNX model of opset 17, default domain only, that computes the same anywhere: fused
// activations and residuals become nodes of their own again, storage slots are dropped. Values and outputs keep their
// names. Throws ModelError naming the node for what that opset cannot say (dilated average pools,
// half_pixel_symmetric), or where the model is above 2 GB.
std::string export_onnx(const ir::Graph& graph);

}  // namespace deeper::frontend
