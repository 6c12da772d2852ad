// Convolutions on the project's own kernels.

#include "backend/algorithms.h"
#include "backend/lower.h"

namespace deeper::backend {

void lower_conv_on_kernel(Lowering& lowering, const ir::Node& node, const ConvProblem& problem,
                          const ConvChoice& choice) {
  const ConvKernel& kernel = *choice.algorithm->kernel;
  const ir::Tensor& plain = *lowering.graph().constant(node.inputs[1]);
  const std::vector<float> packed = kernel.pack(problem.shape, choice.candidate.tuning, plain.floats());
  const Ref weights =
      lowering.weights(std::as_bytes(std::span(packed)), plain.shape(), lowering.graph().value(node.inputs[1]).name);
  Draft draft = lowering.draft(node, kernel.name);
  draft.step.implementation = choice.candidate.implementation;
  draft.step.tuning = choice.candidate.tuning;
  draft.operands = {lowering.conforming(node, 0), weights, lowering.row_major(node, 2), lowering.conforming(node, 3)};
  draft.result = lowering.result(node);
  draft.scratch_bytes = static_cast<std::uint64_t>(choice.candidate.scratch_bytes);
  lowering.emit(std::move(draft));
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Conv&) {
  const ConvProblem problem = conv_problem(lowering, node);
  const ConvChoice choice = choose_algorithm(problem, lowering.target(), lowering.options());
  if (choice.algorithm->kernel != nullptr) return lower_conv_on_kernel(lowering, node, problem, choice);
  choice.algorithm->lower(lowering, node, problem);
}

}  // namespace deeper::backend
