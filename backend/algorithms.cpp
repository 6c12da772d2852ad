#include "backend/algorithms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <ranges>

#include "backend/costs.h"
#include "backend/layout.h"
#include "ir/error.h"
#include "ir/match.h"

namespace deeper::backend {
namespace {

// oneDNN's convolutions (2.6 to 3.7) would need a copy of the slice; a product takes any distance between pixels.
bool matmul_applies(const ConvProblem& problem) {
  return problem.is_pointwise() && problem.constant_weights && (problem.reads_slice() || problem.writes_slice());
}

bool always(const ConvProblem&) { return true; }

double promises_nothing(const ConvProblem&, const Target&) { return std::numeric_limits<double>::infinity(); }

// What oneDNN does best: stems of few channels and 1x1 windows of hardly more on images that are no slices, near the
// FMA peak of AVX2, less near to that of AVX-512.
double onednn_estimate_ns(const ConvProblem& problem, const Target& target) {
  constexpr std::int64_t kStemChannels = 4;
  constexpr std::int64_t kFewChannels = 32;
  const ConvShape& shape = problem.shape;
  const bool is_plain = target.isa >= Isa::avx2 && !problem.reads_slice() && !problem.writes_slice() &&
                        !shape.has_residual && problem.constant_weights && shape.out_channels % 8 == 0;
  const bool is_stem = shape.in_channels <= kStemChannels;
  if (!is_plain || !(is_stem || (problem.is_pointwise() && shape.in_channels <= kFewChannels))) {
    return promises_nothing(problem, target);
  }
  const Costs::OneDnn& costs = costs_of(target.machine, target.isa).onednn;
  const double rate = is_stem ? costs.stem_multiply_adds_per_ns : costs.few_multiply_adds_per_ns;
  double ns = static_cast<double>(multiply_adds(shape)) / rate;
  if (is_stem && costs.stem_result_bytes_per_ns > 0) {
    const std::int64_t results = shape.batch * shape.output[0] * shape.output[1] * shape.out_channels;
    ns += static_cast<double>(results) * sizeof(float) / costs.stem_result_bytes_per_ns;
  }
  return ns / target.threads;
}

std::vector<ConvAlgorithm> all_algorithms() {
  std::vector<ConvAlgorithm> rows;
  for (const ConvKernel& kernel : conv_kernels()) rows.push_back({.name = kernel.name, .kernel = &kernel});
  rows.push_back({.name = "onednn.matmul",
                  .applies = matmul_applies,
                  .estimate_ns = promises_nothing,
                  .lower = lower_conv_as_matmul});
  rows.push_back({.name = "onednn", .applies = always, .estimate_ns = onednn_estimate_ns, .lower = lower_conv_onednn});
  return rows;
}

std::int64_t plain_weights_bytes(const ConvShape& shape) {
  const std::int64_t weights = shape.out_channels * shape.group_inputs() * shape.kernel[0] * shape.kernel[1];
  return weights * static_cast<std::int64_t>(sizeof(float));
}

// The row's own choices, best first; none where it does not apply or is not allowed.
std::vector<ConvChoice> choices_of(const ConvAlgorithm& row, const ConvProblem& problem, const Target& target,
                                   const CompileOptions& options) {
  if (row.kernel == nullptr) {
    if (!row.applies(problem) || problem.is_alone) return {};
    ConvChoice choice{.algorithm = &row, .candidate = {}};
    choice.candidate.estimate_ns = row.estimate_ns(problem, target);
    return {std::move(choice)};
  }
  if (options.kernels == Kernels::onednn || !problem.constant_weights) return {};
  const std::int64_t most_bytes = options.low_memory && row.kernel->grows_weights
                                      ? plain_weights_bytes(problem.shape)
                                      : std::numeric_limits<std::int64_t>::max();
  std::vector<ConvChoice> choices;
  for (ConvCandidate& candidate : row.kernel->candidates(problem.shape, target, options.accuracy)) {
    if (candidate.weights_bytes > most_bytes) continue;
    choices.push_back({.algorithm = &row, .candidate = std::move(candidate)});
  }
  return choices;
}

ImageStrides strides_of(const Ref& image) {
  const ir::Shape& shape = image.operand.shape;
  const std::int64_t pixel = pixel_stride(shape, image.operand.strides).value_or(shape[1]);
  return {.image = shape[2] * shape[3] * pixel, .row = shape[3] * pixel, .pixel = pixel};
}

}  // namespace

bool ConvProblem::is_pointwise() const {
  return shape.kernel == ir::Extent2{1, 1} && shape.op.strides == ir::Extent2{1, 1} &&
         shape.op.pads == ir::Pads{0, 0, 0, 0} && shape.op.groups == 1;
}

ConvProblem conv_problem(Lowering& lowering, const ir::Node& node) {
  const ir::Graph& graph = lowering.graph();
  const Ref source = lowering.operand(node, 0);
  const Ref result = lowering.result(node);
  const ir::Shape& in = source.operand.shape;
  const ir::Shape& out = result.operand.shape;
  const Ref residual = lowering.operand(node, 3);
  ConvShape shape{.batch = in[0],
                  .in_channels = in[1],
                  .out_channels = out[1],
                  .input = {in[2], in[3]},
                  .output = {out[2], out[3]},
                  .kernel = ir::kernel_of(graph, node),
                  .op = std::get<ir::Conv>(node.op),
                  .has_bias = node.inputs.size() > 2 && node.inputs[2].valid(),
                  .has_residual = residual.valid(),
                  .residual_in_place = residual.valid() && residual.block == result.block &&
                                       residual.operand.offset == result.operand.offset,
                  .source = strides_of(source),
                  .result = strides_of(result),
                  .residual = {}};
  if (residual.valid()) shape.residual = strides_of(residual);
  return {
      .shape = shape, .constant_weights = graph.constant(node.inputs[1]).has_value(), .is_alone = lowering.is_alone()};
}

std::span<const ConvAlgorithm> conv_algorithms() {
  static const std::vector<ConvAlgorithm> rows = all_algorithms();
  return rows;
}

void check_forced_algorithm(const CompileOptions& options) {
  if (options.force.empty()) return;
  std::vector<std::string_view> names;
  for (const ConvAlgorithm& row : conv_algorithms()) names.push_back(row.name);
  if (std::ranges::find(names, options.force) != names.end()) return;
  throw ModelError(
      fmt::format("there is no convolution algorithm '{}', only {}", options.force, fmt::join(names, ", ")));
}

std::vector<ConvChoice> conv_choices(const ConvProblem& problem, const Target& whole, const CompileOptions& options) {
  Target target = whole;
  if (problem.is_alone) target.threads = 1;
  const auto rows = conv_algorithms();
  const auto forced = std::ranges::find(rows, options.force, &ConvAlgorithm::name);
  std::vector<ConvChoice> choices;
  if (forced != rows.end()) choices = choices_of(*forced, problem, target, options);
  if (!choices.empty()) return choices;
  for (const ConvAlgorithm& row : rows) {
    std::vector<ConvChoice> more = choices_of(row, problem, target, options);
    choices.insert(choices.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  if (choices.empty()) return choices;
  const auto best =
      std::ranges::min_element(choices, {}, [](const ConvChoice& choice) { return choice.candidate.estimate_ns; });
  std::rotate(choices.begin(), best, best + 1);
  return choices;
}

ConvChoice choose_algorithm(const ConvProblem& problem, const Target& target, const CompileOptions& options) {
  std::vector<ConvChoice> choices = conv_choices(problem, target, options);
  DEEPER_CHECK(!choices.empty(), "choosing a convolution algorithm");
  if (options.records != nullptr) {
    const auto record = options.records->find(record_key(problem, options));
    for (ConvChoice& choice : choices) {
      if (record == options.records->end()) break;
      const bool is_named =
          choice.algorithm->name == record->second.algorithm && choice.candidate.tuning == record->second.tuning;
      if (is_named) return std::move(choice);
    }
  }
  return std::move(choices.front());
}

}  // namespace deeper::backend
