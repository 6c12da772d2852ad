#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/cooktoom.h"
#include "backend/target.h"
#include "runtime/kernel.h"

// The table of this project's own convolution kernels: from it come what the lowering chooses among, the rows of the
// kernel table, the tests against the oracle and the benchmarks.
namespace deeper::backend {

// One way for a kernel to do a convolution.
struct ConvCandidate {
  std::string implementation;        // what it chose, for people: "F(4x4,3x3) tiles 24"
  std::vector<std::int64_t> tuning;  // Step::tuning
  std::int64_t weights_bytes = 0;    // packed
  std::int64_t scratch_bytes = 0;    // of the whole team, 64-byte aligned
  double estimate_ns = 0;            // on target.threads cores that have to fetch the weights from memory
};

// The step is Conv with operands x, packed weights, [bias], [residual]; the kernels are team kernels.
struct ConvKernel {
  std::string_view name;
  // Whether packed weights may take more memory than plain ones by more than what fills up their last blocks.
  bool grows_weights = false;
  // Ways to do it, best estimate first; none where the kernel does not apply.
  std::vector<ConvCandidate> (*candidates)(const ConvShape& shape, const Target& target, Accuracy accuracy) = nullptr;
  // weights [M, C/groups, kh, kw] as the candidate with this tuning wants them.
  std::vector<float> (*pack)(const ConvShape& shape, std::span<const std::int64_t> tuning,
                             std::span<const float> weights) = nullptr;
  runtime::Executable (*prepare)(const runtime::Step& step, int threads) = nullptr;
  // The same way for steps that pool the first operand, or the result; nothing where it cannot. Null: it never can.
  using Pooled = std::optional<ConvCandidate> (*)(const ConvShape& shape, const ir::Pool& pool,
                                                  const ConvCandidate& candidate, const Target& target);
  Pooled operand_pooled = nullptr;
  Pooled result_pooled = nullptr;
};

std::span<const ConvKernel> conv_kernels();

}  // namespace deeper::backend
