#pragma once

#include "ir/graph.h"

// Reshape and Transpose: what several passes know about them.
namespace deeper::passes {

// The permutation that is outer after inner: Transpose{outer}(Transpose{inner}(x)) is Transpose{composed}(x).
std::vector<std::int64_t> compose(std::span<const std::int64_t> inner, std::span<const std::int64_t> outer);
std::vector<std::int64_t> inverse(std::span<const std::int64_t> perm);
bool is_identity(std::span<const std::int64_t> perm);

// Puts a Reshape or Transpose in its simplest form; true where that changed the graph. Exact.
//   a Transpose of a Transpose, a Reshape of a Reshape   one of them, reading the first's operand
//   a Transpose that moves only axes of extent 1         a Reshape
//   one that changes nothing                             is removed
bool simplify_view(ir::Graph& graph, ir::NodeId id);

}  // namespace deeper::passes
