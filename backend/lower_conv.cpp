// Convolutions on the project's own kernels.

#include <optional>

#include "backend/algorithms.h"
#include "backend/lower.h"

namespace deeper::backend {
namespace {

// Without a bias.
bool is_plain_pool(const ir::Node& node) {
  return std::holds_alternative<ir::Pool>(node.op) && node.inputs.size() == 1;
}

const ir::Node* pool_before(const Lowering& lowering, const ir::Node& node) {
  const ir::Graph& graph = lowering.graph();
  if (graph.producer_as<ir::Pool>(node.inputs[0]) == nullptr) return nullptr;
  const ir::Node& pool = graph.node(graph.producer(node.inputs[0]));
  return lowering.is_computed_with(pool, node) ? &pool : nullptr;
}

// The pool behind a convolution whose result would leave the caches before it is pooled; null where there is none.
const ir::Node* pool_behind(const Lowering& lowering, const ir::Node& node, const ConvProblem& problem) {
  const Target& target = lowering.target();
  const ir::Node* const user = lowering.only_user(node);
  if (user == nullptr || !is_plain_pool(*user)) return nullptr;
  const std::int64_t floats = ir::element_count(lowering.graph().shape(node.output)) / problem.shape.batch;
  const bool leaves_caches = floats * static_cast<std::int64_t>(sizeof(float)) > target.l2_bytes * target.threads;
  return leaves_caches ? user : nullptr;
}

std::optional<ConvCandidate> pooled_way(const ConvKernel::Pooled pooled, const Lowering& lowering,
                                        const ConvProblem& problem, const ConvCandidate& way, const ir::Node* pool) {
  if (pooled == nullptr || pool == nullptr) return std::nullopt;
  return pooled(problem.shape, std::get<ir::Pool>(pool->op), way, lowering.target());
}

// Of a convolution with these pools; null where there is none.
Draft draft_of(Lowering& lowering, const ir::Node& node, std::string_view kernel, const ir::Node* before,
               const ir::Node* behind) {
  Draft draft = lowering.draft(node, kernel);
  runtime::Step& step = draft.step;
  if (before != nullptr) {
    const runtime::Step pool = lowering.draft(*before, kernel).step;
    step.operand_pool = std::get<ir::Pool>(pool.op);
    step.name = pool.name + " + " + step.name;
    step.origins.insert(step.origins.begin(), pool.origins.begin(), pool.origins.end());
  }
  if (behind != nullptr) {
    const runtime::Step pool = lowering.draft(*behind, kernel).step;
    step.result_pool = std::get<ir::Pool>(pool.op);
    step.name += " + " + pool.name;
    step.origins.insert(step.origins.end(), pool.origins.begin(), pool.origins.end());
    lowering.compute_with(*behind, node);
  }
  return draft;
}

}  // namespace

bool pools_with_conv(Lowering& lowering, const ir::Node& pool) {
  const ir::Node* const conv = lowering.only_user(pool);
  if (!is_plain_pool(pool) || conv == nullptr || !std::holds_alternative<ir::Conv>(conv->op) ||
      conv->inputs[0] != pool.output)
    return false;
  const ConvProblem problem = conv_problem(lowering, *conv);
  const ConvChoice choice = choose_algorithm(problem, lowering.target(), lowering.options());
  const ConvKernel* const kernel = choice.algorithm->kernel;
  if (kernel == nullptr) return false;
  if (!pooled_way(kernel->operand_pooled, lowering, problem, choice.candidate, &pool)) return false;
  lowering.compute_with(pool, *conv);
  return true;
}

void lower_conv_on_kernel(Lowering& lowering, const ir::Node& node, const ConvProblem& problem,
                          const ConvChoice& choice) {
  const ConvKernel& kernel = *choice.algorithm->kernel;
  const ir::Node* const before = pool_before(lowering, node);
  const ir::Node* behind = pool_behind(lowering, node, problem);
  std::optional<ConvCandidate> pooled =
      before != nullptr ? pooled_way(kernel.operand_pooled, lowering, problem, choice.candidate, before)
                        : pooled_way(kernel.result_pooled, lowering, problem, choice.candidate, behind);
  if (before != nullptr || !pooled) behind = nullptr;
  const ConvCandidate& way = pooled ? *pooled : choice.candidate;
  const ir::Tensor& plain = *lowering.graph().constant(node.inputs[1]);
  const std::vector<float> packed = kernel.pack(problem.shape, way.tuning, plain.floats());
  const Ref weights =
      lowering.weights(std::as_bytes(std::span(packed)), plain.shape(), lowering.graph().value(node.inputs[1]).name);
  Draft draft = draft_of(lowering, node, kernel.name, before, behind);
  draft.step.implementation = way.implementation;
  draft.step.tuning = way.tuning;
  draft.operands = {lowering.conforming(before != nullptr ? *before : node, 0), weights, lowering.row_major(node, 2),
                    lowering.conforming(node, 3)};
  draft.result = lowering.result(behind != nullptr ? *behind : node);
  draft.scratch_bytes = static_cast<std::uint64_t>(way.scratch_bytes);
  lowering.emit(std::move(draft));
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Conv&) {
  const ConvProblem problem = conv_problem(lowering, node);
  const ConvChoice choice = choose_algorithm(problem, lowering.target(), lowering.options());
  if (choice.algorithm->kernel != nullptr) return lower_conv_on_kernel(lowering, node, problem, choice);
  choice.algorithm->lower(lowering, node, problem);
}

}  // namespace deeper::backend
