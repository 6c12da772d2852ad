#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "passes/passes.h"
#include "tools/open.h"
#include "tools/tensors.h"

// Whether a compiled model computes what it should, and where it first does not.
namespace deeper::tools {

struct CheckOptions {
  std::vector<NamedArray> inputs;  // none: seeded numbers
  double tolerance = 1e-4;         // largest relative L2 difference
  bool verbose = false;            // prints every step
  runtime::KernelTable kernels = backend::kernel_table();
};

// Imports the model, runs `passes` in order, compiles, and compares: the optimized graph with the imported one, both
// evaluated in double, then every step of the plan with the optimized graph's value, printing where error grows.
// Throws ModelError that names the first pass whose outputs stray beyond the tolerance; else the first step that strays
// from what its own operands say, and whether oneDNN's kernels do as well; else where error that adds up is too much.
void check_with_oracle(const std::filesystem::path& model, const OpenOptions& options, const CheckOptions& check,
                       std::span<const passes::PassInfo> passes);

// Runs two models or plans, each from an ONNX file or a plan file, on equal inputs and compares the values that have
// one name and shape in both, in the order of `model`, then the outputs one by one. Throws ModelError that names the
// first output that differs by more than the tolerance and the first step that does, or says why they cannot be
// compared.
void check_against(const std::filesystem::path& model, const std::filesystem::path& other, const OpenOptions& options,
                   const CheckOptions& check);

}  // namespace deeper::tools
