// Matrix products: native of few rows and constant weights; else on oneDNN, an inner product where the second operand
// is a constant, or a (batched) matmul.

#include <fmt/format.h>

#include "backend/kernels/conv_shape.h"
#include "backend/layout.h"
#include "backend/lower.h"
#include "backend/onednn/describe.h"
#include "ir/error.h"

namespace deeper::backend {
namespace {

runtime::Step described_step(const Draft& draft) {
  runtime::Step step = draft.step;
  for (const Ref& ref : draft.operands) step.operands.push_back(ref.operand);
  step.result = draft.result.operand;
  return step;
}

// Throws where there is none.
onednn::Description describe(const Lowering& lowering, const ir::Node& node, const Draft& draft) {
  onednn::Description description = onednn::describe(described_step(draft), lowering.target().threads);
  if (!description) throw ModelError(fmt::format("node '{}' (MatMul): oneDNN has no implementation", node.name));
  return description;
}

Ref packed_weights(Lowering& lowering, const ir::Node& node, const ir::MatMul& op,
                   const onednn::Description& description) {
  const ir::Tensor& tensor = *lowering.graph().constant(node.inputs[1]);
  const ir::Shape& shape = tensor.shape();
  const auto plain = op.transpose_b ? onednn::desc_of({shape[0], shape[1]}, {shape[1], 1})
                                    : onednn::desc_of({shape[1], shape[0]}, {1, shape[1]});
  const auto bytes = onednn::reorder(tensor.floats(), plain, description.desc(1));
  return lowering.weights(bytes, shape, lowering.graph().value(node.inputs[1]).name);
}

// Bound by the reading of weights.
bool is_matvec(const Lowering& lowering, const ir::Node& node, const ir::MatMul& op, const Ref& result) {
  constexpr std::int64_t kFewRows = 8;
  const ir::Graph& graph = lowering.graph();
  const ir::Shape& x = graph.shape(node.inputs[0]);
  return lowering.options().kernels == Kernels::all && x.size() == 2 && x[0] <= kFewRows &&
         has_simple_activation(op.activation) && is_row_major(result.operand.shape, result.operand.strides);
}

void lower_matvec(Lowering& lowering, const ir::Node& node, const ir::MatMul& op) {
  const ir::Tensor& tensor = *lowering.graph().constant(node.inputs[1]);
  const ir::Shape& shape = tensor.shape();
  const std::span<const float> given = tensor.floats();
  std::vector<float> weights(given.begin(), given.end());
  if (!op.transpose_b) {
    for (std::int64_t k = 0; k < shape[0]; ++k) {
      for (std::int64_t n = 0; n < shape[1]; ++n) weights[n * shape[0] + k] = given[k * shape[1] + n];
    }
  }
  Draft draft = lowering.draft(node, "native.matvec");
  Ref packed = lowering.weights(std::as_bytes(std::span(weights)), shape, lowering.graph().value(node.inputs[1]).name);
  packed.operand.strides = op.transpose_b ? ir::Shape{shape[1], 1} : ir::Shape{1, shape[0]};
  draft.operands = {lowering.row_major(node, 0), std::move(packed)};
  if (Ref bias = lowering.row_major(node, 2); bias.valid()) draft.operands.push_back(std::move(bias));
  draft.result = lowering.result(node);
  lowering.emit(std::move(draft));
}

}  // namespace

void lower(Lowering& lowering, const ir::Node& node, const ir::MatMul& op) {
  const ir::Graph& graph = lowering.graph();
  const Ref result = lowering.result(node);
  const bool is_inner_product =
      graph.constant(node.inputs[1]) && graph.shape(node.inputs[1]).size() == 2 && result.operand.shape.size() == 2;
  if (is_inner_product && is_matvec(lowering, node, op, result)) return lower_matvec(lowering, node, op);
  Draft draft = lowering.draft(node, is_inner_product ? "onednn.inner_product" : "onednn.matmul");
  const bool is_fused = op.activation.function == ir::Function::identity || onednn::eltwise_of(op.activation);
  if (!is_fused) std::get<ir::MatMul>(draft.step.op).activation = {};
  const bool is_direct = is_row_major(result.operand.shape, result.operand.strides);
  const ir::Shape row_major = ir::row_major_strides(result.operand.shape);
  draft.result = is_direct ? result : lowering.temporary(result.operand.shape, row_major, result.operand.value);
  draft.result.operand.strides = row_major;
  draft.operands = {lowering.row_major(node, 0), {}, lowering.row_major(node, 2)};
  if (is_inner_product) {
    draft.operands[1].operand.space = runtime::Space::weights;
    draft.operands[1].operand.shape = graph.shape(node.inputs[1]);
    draft.operands[1] = packed_weights(lowering, node, op, describe(lowering, node, draft));
  } else {
    draft.operands[1] = lowering.row_major(node, 1);
  }
  const onednn::Description description = describe(lowering, node, draft);
  draft.step.implementation = description.implementation();
  draft.scratch_bytes = description.scratchpad_bytes();
  const Ref computed = draft.result;
  lowering.emit(std::move(draft));
  if (!is_fused) {
    Draft activation = lowering.draft(node, "native.unary");
    activation.step.op = ir::Unary{.function = op.activation};
    activation.step.multiply_adds = 0;
    activation.operands = {computed};
    activation.result = computed;
    lowering.emit(std::move(activation));
  }
  if (!is_direct) lowering.copy(computed, result, fmt::format("{} (copy)", node.name));
}

}  // namespace deeper::backend
