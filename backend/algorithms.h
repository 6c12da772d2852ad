#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "backend/compile.h"
#include "backend/kernels/conv_kernels.h"
#include "backend/lowering.h"
#include "backend/target.h"

// How convolutions can be computed: THE table, oneDNN last. The project's own kernels come from conv_kernels().
namespace deeper::backend {

struct ConvProblem {
  ConvShape shape;
  bool constant_weights = true;  // else they come with the input, in row-major order

  bool is_pointwise() const;  // 1x1, strides 1, no padding, one group
  bool reads_slice() const { return shape.source.pixel != shape.in_channels; }
  bool writes_slice() const { return shape.result.pixel != shape.out_channels; }
};

// The problem of a Conv whose images lie where `lowering` says; an image that is no NHWC counts as copied to a dense
// one.
ConvProblem conv_problem(Lowering& lowering, const ir::Node& node);

struct ConvAlgorithm {
  std::string_view name;
  const ConvKernel* kernel = nullptr;  // null: oneDNN
  // For oneDNN: whether to use it here, and how to emit the steps.
  bool (*applies)(const ConvProblem& problem) = nullptr;
  void (*lower)(Lowering& lowering, const ir::Node& node, const ConvProblem& problem) = nullptr;
};

std::span<const ConvAlgorithm> conv_algorithms();

// Throws ModelError where `options.force` names no row.
void check_forced_algorithm(const CompileOptions& options);

struct ConvChoice {
  const ConvAlgorithm* algorithm = nullptr;
  ConvCandidate candidate;  // of algorithm->kernel
};

// `options.force` or, failing that, the algorithm that a tuning record names (empty: none), where it applies and is
// allowed; else the own kernel that promises to be fastest; else the first row of oneDNN's that applies. Pure.
ConvChoice choose_algorithm(const ConvProblem& problem, const Target& target, const CompileOptions& options,
                            std::string_view record);

// --- the rows' functions ---
void lower_conv_on_kernel(Lowering& lowering, const ir::Node& node, const ConvProblem& problem,
                          const ConvChoice& choice);
void lower_conv_onednn(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);
void lower_conv_as_matmul(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);

}  // namespace deeper::backend
