// Convolutions on oneDNN. Where the library is slow on a channel slice, the image is computed without gaps and copied;
// a residual is accumulated in place where it dies, else added by a post-op, else copied to the result first.

#include <fmt/format.h>

#include "backend/algorithms.h"
#include "backend/layout.h"
#include "backend/lower.h"
#include "backend/onednn/describe.h"
#include "ir/error.h"

namespace deeper::backend {
namespace {

using onednn::Residual;

struct Variant {
  bool dense_input = false;
  bool dense_result = false;
  Residual residual = Residual::none;
  bool copy_residual = false;
};

std::vector<Variant> variants(const ConvProblem& problem) {
  std::vector<Variant> residuals;
  if (!problem.shape.has_residual) {
    residuals = {{}};
  } else if (problem.shape.residual_in_place) {
    residuals = {{.residual = Residual::sum}};
  } else {
    residuals = {{.residual = Residual::binary}, {.residual = Residual::sum, .copy_residual = true}};
  }
  std::vector<Variant> result = residuals;
  if (!problem.reads_slice() && !problem.writes_slice()) return result;
  for (Variant variant : residuals) {
    variant.dense_input = problem.reads_slice();
    variant.dense_result = problem.writes_slice();
    variant.copy_residual |= problem.shape.residual_in_place && variant.dense_result;
    result.push_back(variant);
  }
  return result;
}

// Strides as the image will have: dense where asked for and where it is no NHWC and so will be copied.
void normalize(runtime::Operand& image, bool is_dense) {
  const std::int64_t dense = image.shape[1];
  const std::int64_t pixel = pixel_stride(image.shape, image.strides).value_or(dense);
  image.strides = image_strides(image.shape, is_dense ? dense : pixel);
}

// The step a variant leads to, with strides but no addresses.
Draft sketch(Lowering& lowering, const ir::Node& node, std::string_view kernel, const Variant& variant) {
  Draft draft = lowering.draft(node, kernel);
  auto& op = std::get<ir::Conv>(draft.step.op);
  if (!onednn::eltwise_of(op.activation)) op.activation = {};
  draft.step.tuning = {static_cast<std::int64_t>(variant.residual)};
  for (std::size_t index = 0; index < 4; ++index) {
    if (index == 1) {
      draft.operands.emplace_back();
      draft.operands[1].operand.space = runtime::Space::weights;
      draft.operands[1].operand.shape = lowering.graph().shape(node.inputs[1]);
    } else {
      draft.operands.push_back(lowering.operand(node, index));
    }
  }
  draft.result = lowering.result(node);
  normalize(draft.operands[0].operand, variant.dense_input);
  normalize(draft.result.operand, variant.dense_result);
  if (draft.operands[3].valid()) normalize(draft.operands[3].operand, false);
  return draft;
}

onednn::Description describe(const Draft& draft, int threads) {
  runtime::Step step = draft.step;
  for (const Ref& ref : draft.operands) step.operands.push_back(ref.operand);
  step.result = draft.result.operand;
  return onednn::describe(step, threads);
}

// The weights as [M,C/groups,kh,kw] lie in the graph, in the dims the kernel sees.
onednn::Desc plain_weights(const ir::Shape& shape, const ir::Conv& op, bool is_matmul) {
  if (is_matmul) return onednn::desc_of({shape[1], shape[0]}, {1, shape[1]});
  ir::Shape dims = shape;
  if (op.groups > 1) dims = {op.groups, shape[0] / op.groups, shape[1], shape[2], shape[3]};
  return onednn::desc_of(dims, ir::row_major_strides(dims));
}

Ref packed_weights(Lowering& lowering, const ir::Node& node, const onednn::Description& description, bool is_matmul) {
  const ir::Graph& graph = lowering.graph();
  const ir::Tensor& tensor = *graph.constant(node.inputs[1]);
  const auto plain = plain_weights(tensor.shape(), std::get<ir::Conv>(node.op), is_matmul);
  const auto bytes = onednn::reorder(tensor.floats(), plain, description.desc(1));
  return lowering.weights(bytes, tensor.shape(), graph.value(node.inputs[1]).name);
}

void emit_activation(Lowering& lowering, const ir::Node& node, const Ref& image) {
  Draft draft = lowering.draft(node, "native.unary");
  draft.step.op = ir::Unary{.function = std::get<ir::Conv>(node.op).activation};
  draft.step.multiply_adds = 0;
  draft.operands = {image};
  draft.result = image;
  lowering.emit(std::move(draft));
}

// Turns the sketch into steps.
void emit_variant(Lowering& lowering, const ir::Node& node, Draft draft, const Variant& variant,
                  const onednn::Description& description) {
  const bool is_matmul = draft.step.kernel == "onednn.conv_as_matmul";
  const Ref result = lowering.result(node);
  draft.operands[0] = variant.dense_input ? lowering.dense(node, 0) : lowering.conforming(node, 0);
  draft.operands[1] = lowering.graph().constant(node.inputs[1]) ? packed_weights(lowering, node, description, is_matmul)
                                                                : lowering.row_major(node, 1);
  draft.operands[3] = lowering.conforming(node, 3);
  if (variant.dense_result) {
    const ir::Shape& shape = result.operand.shape;
    draft.result = lowering.temporary(shape, layout_strides(shape), result.operand.value);
  }
  if (variant.copy_residual) {
    lowering.copy(draft.operands[3], draft.result, fmt::format("{} (residual)", node.name));
  }
  if (variant.residual == Residual::sum) draft.operands[3] = draft.result;
  draft.step.implementation = description.implementation();
  draft.scratch_bytes = description.scratchpad_bytes();
  const Ref computed = draft.result;
  const bool activation_is_fused =
      std::get<ir::Conv>(draft.step.op).activation == std::get<ir::Conv>(node.op).activation;
  lowering.emit(std::move(draft));
  if (!activation_is_fused) emit_activation(lowering, node, computed);
  if (variant.dense_result) lowering.copy(computed, result, fmt::format("{} (to its slice)", node.name));
}

void lower_on(Lowering& lowering, const ir::Node& node, const ConvProblem& problem, std::string_view kernel) {
  const std::vector<Variant> candidates = variants(problem);
  for (const Variant& variant : candidates) {
    Draft draft = sketch(lowering, node, kernel, variant);
    if (!problem.constant_weights) {
      draft.operands[1].operand.strides = ir::row_major_strides(draft.operands[1].operand.shape);
    }
    // oneDNN reads the operand of a binary post-op as if it lay like the result.
    const bool lies_like_result =
        !draft.operands[3].valid() || draft.operands[3].operand.strides == draft.result.operand.strides;
    if (variant.residual == Residual::binary && !lies_like_result) continue;
    const onednn::Description description = describe(draft, lowering.target().threads);
    const bool is_last = &variant == &candidates.back();
    if (description && (is_last || !description.is_reference())) {
      return emit_variant(lowering, node, std::move(draft), variant, description);
    }
  }
  throw ModelError(fmt::format("node '{}' (Conv): oneDNN has no implementation", node.name));
}

}  // namespace

void lower_conv_onednn(Lowering& lowering, const ir::Node& node, const ConvProblem& problem) {
  lower_on(lowering, node, problem, "onednn.conv");
}

void lower_conv_as_matmul(Lowering& lowering, const ir::Node& node, const ConvProblem& problem) {
  lower_on(lowering, node, problem, "onednn.conv_as_matmul");
}

}  // namespace deeper::backend
