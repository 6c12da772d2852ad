#pragma once

#include <optional>

#include "ir/graph.h"

// Small steps that several passes take.
namespace deeper::passes {

// The one node that reads the value; nothing where it has other uses, or is a graph output.
std::optional<ir::NodeId> only_user(const ir::Graph& graph, ir::ValueId value);

// False once the node was erased.
bool is_live(const ir::Graph& graph, ir::NodeId id);

// Erases the value's producer where nothing uses the value, then, in turn, what only that one used.
void erase_dead(ir::Graph& graph, ir::ValueId value);

// The function of a Unary that a Conv or MatMul can apply to its result.
std::optional<ir::Activation> fusable_activation(const ir::Op& op);

// Neither activation nor, for a Conv, residual operand.
bool is_plain(const ir::Node& conv_or_matmul);

// Operand `i`, none where it is absent.
ir::ValueId operand(const ir::Node& node, std::size_t i);

// A Concat of f32 images along their channels.
bool is_channel_concat(const ir::Graph& graph, ir::NodeId id);

}  // namespace deeper::passes
