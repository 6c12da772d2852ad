#include "backend/algorithms.h"

#include <algorithm>

#include "backend/layout.h"
#include "backend/onednn/compat.h"
#include "ir/error.h"
#include "ir/match.h"

namespace deeper::backend {
namespace {

// Where oneDNN's convolutions would need a copy of the slice.
bool matmul_applies(const ConvProblem& problem, const Target&) {
  return problem.is_pointwise() && problem.constant_weights && (problem.reads_slice() || problem.writes_slice()) &&
         !onednn::convolutions_take_slices();
}

bool always(const ConvProblem&, const Target&) { return true; }

constexpr ConvAlgorithm kAlgorithms[] = {
    {"onednn.matmul", matmul_applies, lower_conv_as_matmul, true},
    {"onednn", always, lower_conv_onednn, true},
};

std::int64_t pixel_stride_of(const Ref& image) {
  return pixel_stride(image.operand.shape, image.operand.strides).value_or(image.operand.shape[1]);
}

}  // namespace

bool ConvProblem::is_pointwise() const {
  return kernel == ir::Extent2{1, 1} && op.strides == ir::Extent2{1, 1} && op.pads == ir::Pads{0, 0, 0, 0} &&
         op.groups == 1;
}

ConvProblem conv_problem(Lowering& lowering, const ir::Node& node) {
  const ir::Graph& graph = lowering.graph();
  const ir::Shape& in = graph.shape(node.inputs[0]);
  const ir::Shape& out = graph.shape(node.output);
  const Ref source = lowering.operand(node, 0);
  const Ref result = lowering.result(node);
  const Ref residual = lowering.operand(node, 3);
  return {.batch = in[0],
          .in_channels = in[1],
          .in_height = in[2],
          .in_width = in[3],
          .in_pixel_stride = pixel_stride_of(source),
          .out_channels = out[1],
          .out_height = out[2],
          .out_width = out[3],
          .out_pixel_stride = pixel_stride_of(result),
          .kernel = ir::kernel_of(graph, node),
          .op = std::get<ir::Conv>(node.op),
          .has_bias = node.inputs.size() > 2 && node.inputs[2].valid(),
          .has_residual = residual.valid(),
          .residual_in_place = residual.valid() && residual.block == result.block,
          .constant_weights = graph.constant(node.inputs[1]).has_value()};
}

std::span<const ConvAlgorithm> conv_algorithms() { return kAlgorithms; }

const ConvAlgorithm& choose_algorithm(const ConvProblem& problem, const Target& target, const CompileOptions& options,
                                      std::string_view record) {
  const auto usable = [&](const ConvAlgorithm& row) {
    return (options.kernels == Kernels::all || row.is_onednn) && row.applies(problem, target);
  };
  for (const std::string_view wanted : {std::string_view(options.force), record}) {
    const auto* row = std::ranges::find(kAlgorithms, wanted, &ConvAlgorithm::name);
    if (row != std::end(kAlgorithms) && usable(*row)) return *row;
  }
  const auto* row = std::ranges::find_if(kAlgorithms, usable);
  DEEPER_CHECK(row != std::end(kAlgorithms), "choosing a convolution algorithm");
  return *row;
}

}  // namespace deeper::backend
