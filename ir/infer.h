#pragma once

#include <span>

#include "ir/graph.h"

namespace deeper::ir {

// The type of `op` on these operands (see ops.h for their order). Checks ranks, extents, element types and attributes;
// throws ModelError saying which does not fit (the caller adds the node's name).
Type infer(const Op& op, const Graph& graph, std::span<const ValueId> inputs);

// Result extent of a window along one axis; nothing where no window fits. ceil_mode as in Pool.
std::optional<std::int64_t> window_extent(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                                          std::int64_t dilation, std::int64_t pad_begin, std::int64_t pad_end,
                                          bool ceil_mode);

}  // namespace deeper::ir
