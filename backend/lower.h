#pragma once

#include "backend/lowering.h"
#include "ir/ops.h"

// One overload per op: emits the steps that compute the node. Throws ModelError for what cannot run.
namespace deeper::backend {

void lower(Lowering& lowering, const ir::Node& node, const ir::Identity& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Conv& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::MatMul& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::BatchNorm& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Unary& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Binary& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Pool& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Reduce& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Lrn& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Concat& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Slice& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Reshape& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Transpose& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Pad& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Softmax& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Resize& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Gather& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Where& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Expand& op);
void lower(Lowering& lowering, const ir::Node& node, const ir::Cast& op);

// Whether the convolution behind a pool computes it too.
bool pools_with_conv(Lowering& lowering, const ir::Node& pool);

// A step of a native kernel on the operands as they lie.
void lower_natively(Lowering& lowering, const ir::Node& node, std::string_view kernel);

// Emits the draft where oneDNN has a fast implementation for it, filling in implementation and scratch; else gives
// false and leaves the lowering as it was. Weights must be packed already.
bool emit_if_fast(Lowering& lowering, Draft& draft);

}  // namespace deeper::backend
