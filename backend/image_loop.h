#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/compile.h"

// Which nodes of a batch run for one image after the other. What a node hands to the next is a batch's worth of
// activations, which no cache holds where images are large; one image's worth stays near. The price is to read the
// weights once for every image.
namespace deeper::backend {

// Nodes [first, end) of the graph's order.
struct NodeLoop {
  std::size_t first = 0;
  std::size_t end = 0;
  std::int64_t images = 1;
  bool side_by_side = false;  // see runtime::ImageLoop
};

// The loops that gain most by the kernels' cost models, in order.
std::vector<NodeLoop> find_image_loops(const ir::Graph& graph, const Target& target, const CompileOptions& options);

}  // namespace deeper::backend
