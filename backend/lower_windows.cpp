// Pools, normalisations and reductions: native, which is faster than oneDNN's in NHWC and takes channel slices. Under
// Kernels::onednn normalisations are oneDNN's where it has a fast implementation.

#include "backend/layout.h"
#include "backend/lower.h"
#include "backend/onednn/describe.h"

namespace deeper::backend {
namespace {

// On operands as they lie; on oneDNN under Kernels::onednn where `fits`.
void lower_preferably(Lowering& lowering, const ir::Node& node, bool fits, std::string_view onednn_kernel,
                      std::string_view native_kernel) {
  if (fits && lowering.options().kernels == Kernels::onednn) {
    Draft draft = lowering.draft(node, onednn_kernel);
    draft.operands = {lowering.operand(node, 0)};
    draft.result = lowering.result(node);
    if (emit_if_fast(lowering, draft)) return;
  }
  lower_natively(lowering, node, native_kernel);
}

bool agree_in_layout(const Lowering& lowering, const ir::Node& node, const Ref& operand) {
  const Ref result = lowering.result(node);
  return is_dense(operand.operand.shape, operand.operand.strides) &&
         is_dense(result.operand.shape, result.operand.strides);
}

}  // namespace

void lower(Lowering& lowering, const ir::Node& node, const ir::Pool&) { lower_natively(lowering, node, "native.pool"); }

void lower(Lowering& lowering, const ir::Node& node, const ir::Lrn&) {
  const bool fits = agree_in_layout(lowering, node, lowering.operand(node, 0));
  lower_preferably(lowering, node, fits, "onednn.lrn", "native.lrn");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Softmax&) {
  const bool fits = agree_in_layout(lowering, node, lowering.operand(node, 0));
  lower_preferably(lowering, node, fits, "onednn.softmax", "native.softmax");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Reduce&) {
  lower_natively(lowering, node, "native.reduce");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Pad&) { lower_natively(lowering, node, "native.pad"); }

void lower(Lowering& lowering, const ir::Node& node, const ir::Resize&) {
  lower_natively(lowering, node, "native.resize");
}

}  // namespace deeper::backend
