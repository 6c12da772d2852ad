#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

// Small questions that several passes ask. Each gives nothing for "does not match".
namespace deeper::ir {

// The value as one number: an f32 constant whose elements are all equal.
std::optional<float> uniform_constant(const Graph& graph, ValueId value);

// The value as one number per channel: an f32 constant that broadcasts against a value of shape `shape` along axis 1
// only (scalars included). Gives shape[1] numbers.
std::optional<std::vector<float>> channel_constant(const Graph& graph, ValueId value, const Shape& shape);

// Height and width of a Conv's kernel.
Extent2 kernel_of(const Graph& graph, const Node& conv);

// Multiply-adds of a node (Conv and MatMul; 0 for others). With skip_padding, those that only read padding are left
// out.
std::int64_t multiply_adds(const Graph& graph, const Node& node, bool skip_padding);

}  // namespace deeper::ir
