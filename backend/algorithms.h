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
  bool is_alone = false;         // one thread's work, while the others have images of their own

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
  // For oneDNN: whether to use it here, what it promises (infinity: nothing), and how to emit the steps.
  bool (*applies)(const ConvProblem& problem) = nullptr;
  double (*estimate_ns)(const ConvProblem& problem, const Target& target) = nullptr;
  void (*lower)(Lowering& lowering, const ir::Node& node, const ConvProblem& problem) = nullptr;
};

std::span<const ConvAlgorithm> conv_algorithms();

// Throws ModelError where `options.force` names no row.
void check_forced_algorithm(const CompileOptions& options);

struct ConvChoice {
  const ConvAlgorithm* algorithm = nullptr;
  ConvCandidate candidate;  // of algorithm->kernel
};

// All ways to do it that are allowed: those of `options.force` where it applies, else all. First what the cost model
// picks: the fastest by what they promise, else the first row of oneDNN's that applies, of which one thread alone has
// none. Pure.
std::vector<ConvChoice> conv_choices(const ConvProblem& problem, const Target& target, const CompileOptions& options);

// What the record of the problem says where `options.records` has one that names a way still there, else the cost
// model's pick. Pure.
ConvChoice choose_algorithm(const ConvProblem& problem, const Target& target, const CompileOptions& options);

// A convolution of a plan and the steps [first_step, last_step) that compute it.
struct CompiledConv {
  std::string name;  // of the node
  ConvProblem problem;
  std::size_t first_step = 0;
  std::size_t last_step = 0;
};

// --- the rows' functions ---
void lower_conv_on_kernel(Lowering& lowering, const ir::Node& node, const ConvProblem& problem,
                          const ConvChoice& choice);
void lower_conv_onednn(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);
void lower_conv_as_matmul(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);

}  // namespace deeper::backend
