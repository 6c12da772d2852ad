// Ops that only move elements: nothing where storage already agrees, else copies.

#include <fmt/format.h>

#include "backend/layout.h"
#include "backend/lower.h"

namespace deeper::backend {
namespace {

void copy_unless_view(Lowering& lowering, const ir::Node& node) {
  if (!lowering.is_view(node)) lower_natively(lowering, node, "native.copy");
}

bool lies_at(const Ref& a, const Ref& b) {
  return a.block && a.block == b.block && a.operand.offset == b.operand.offset &&
         same_strides(a.operand.shape, a.operand.strides, b.operand.strides);
}

}  // namespace

void lower(Lowering& lowering, const ir::Node& node, const ir::Identity&) { copy_unless_view(lowering, node); }
void lower(Lowering& lowering, const ir::Node& node, const ir::Slice&) { copy_unless_view(lowering, node); }
void lower(Lowering& lowering, const ir::Node& node, const ir::Reshape&) { copy_unless_view(lowering, node); }
void lower(Lowering& lowering, const ir::Node& node, const ir::Transpose&) { copy_unless_view(lowering, node); }
void lower(Lowering& lowering, const ir::Node& node, const ir::Expand&) { copy_unless_view(lowering, node); }

void lower(Lowering& lowering, const ir::Node& node, const ir::Concat& op) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const Ref whole = lowering.result(node);
  std::uint64_t offset = whole.operand.offset;
  for (std::size_t index = 0; index < node.inputs.size(); ++index) {
    const Ref from = lowering.operand(node, index);
    Ref to = whole;
    to.operand.shape = from.operand.shape;
    to.operand.offset = offset;
    to.operand.bytes = static_cast<std::uint64_t>(extent(to.operand.shape, to.operand.strides)) * sizeof(float);
    offset += static_cast<std::uint64_t>(from.operand.shape[axis] * whole.operand.strides[axis]) * sizeof(float);
    if (!lies_at(from, to)) lowering.copy(from, to, fmt::format("{} ({} of {})", node.name, index, node.inputs.size()));
  }
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Gather&) {
  lower_natively(lowering, node, "native.gather");
}

}  // namespace deeper::backend
