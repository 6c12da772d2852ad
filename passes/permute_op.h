#pragma once

#include <optional>

#include "ir/graph.h"

// Ops that work in any order of axes.
namespace deeper::passes {

struct PermutedOp {
  ir::Op op;
  std::vector<std::int64_t> perm;
};

// The op' and perm' for which op(Transpose{perm}(x), ...) is Transpose{perm'}(op'(x, ...)), where all operands have the
// rank of perm or are constants that permuted_constant takes. Nothing for ops that are bound to their axes.
std::optional<PermutedOp> permute_op(const ir::Op& op, std::span<const std::int64_t> perm);

// Transpose{perm} of a constant, after 1-extents in front bring it to perm's rank (which must not be smaller); the
// constant itself where that is the same for a reader that broadcasts.
ir::ValueId permuted_constant(ir::Graph& graph, ir::ValueId id, const std::vector<std::int64_t>& perm);

}  // namespace deeper::passes
