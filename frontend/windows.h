#pragma once

#include <optional>

#include "frontend/node_context.h"

namespace deeper::frontend {

// The window of a convolution or pool over a 4-D image; a 1-D window has height 1.
struct Window {
  ir::Extent2 kernel{1, 1};
  ir::Extent2 strides{1, 1};
  ir::Extent2 dilations{1, 1};
  ir::Pads pads{0, 0, 0, 0};
  bool ceil_mode = false;
};

// Reads kernel_shape, strides, dilations, pads, auto_pad (resolved to pads) and ceil_mode of a node whose input has
// shape `input` [N,C,H,W] or [N,C,L]. `kernel` is the weights' extent, which kernel_shape must repeat where it is
// given; without it kernel_shape must be there. ModelError for other ranks and attributes that do not fit.
Window read_window(const NodeContext& node, const ir::Shape& input, const std::optional<ir::Shape>& kernel);

// A Conv with the node's attributes for these operands, both as the ONNX node has them (rank 3 or 4).
ir::Conv read_conv(const NodeContext& node, const ir::Shape& input, const ir::Shape& weights);
// A Pool with the node's attributes for its first operand.
ir::Pool read_pool(const NodeContext& node, ir::PoolKind kind);
// 2, 3, ... below `rank`.
std::vector<std::int64_t> spatial_axes(std::int64_t rank);

// A rank-3 value [N,C,L] as [N,C,1,L]; others unchanged.
ir::ValueId as_image(NodeContext& node, ir::ValueId value);

// A 4-D value brought back to `rank`: [N,C,1,L] becomes [N,C,L] for rank 3.
ir::ValueId from_image(NodeContext& node, ir::ValueId value, std::int64_t rank);

// Gives the node's result as `op` on `inputs`; where `input` (the node's own first operand) has rank 3 the result is
// brought back to rank 3.
void image_result(NodeContext& node, ir::ValueId input, ir::Op op, std::vector<ir::ValueId> inputs);

}  // namespace deeper::frontend
