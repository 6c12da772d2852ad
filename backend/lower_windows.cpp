// Pools, normalisations and reductions: native, which is faster than oneDNN's in NHWC and takes channel slices.

#include "backend/lower.h"

namespace deeper::backend {

void lower(Lowering& lowering, const ir::Node& node, const ir::Pool&) {
  if (lowering.is_computed_with_another(node) || pools_with_conv(lowering, node)) return;
  lower_natively(lowering, node, "native.pool");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Lrn&) { lower_natively(lowering, node, "native.lrn"); }

void lower(Lowering& lowering, const ir::Node& node, const ir::Softmax&) {
  lower_natively(lowering, node, "native.softmax");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Reduce&) {
  lower_natively(lowering, node, "native.reduce");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Pad&) { lower_natively(lowering, node, "native.pad"); }

void lower(Lowering& lowering, const ir::Node& node, const ir::Resize&) {
  lower_natively(lowering, node, "native.resize");
}

}  // namespace deeper::backend
