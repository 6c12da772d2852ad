#include "passes/permute_op.h"

#include <algorithm>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "passes/views.h"

namespace deeper::passes {
namespace {

using Axes = std::vector<std::int64_t>;

std::int64_t axis_below(std::span<const std::int64_t> perm, std::int64_t axis) {
  return perm[static_cast<std::size_t>(axis)];
}

// One number per axis of the Transpose's result, put in the order of its operand's axes.
template <typename T>
std::vector<T> permuted(const std::vector<T>& per_axis, std::span<const std::int64_t> perm) {
  std::vector<T> result(per_axis.size());
  for (std::size_t i = 0; i < perm.size(); ++i) result[static_cast<std::size_t>(perm[i])] = per_axis[i];
  return result;
}

template <typename Op>
concept Elementwise = std::is_same_v<Op, ir::Identity> || std::is_same_v<Op, ir::Unary> ||
    std::is_same_v<Op, ir::Binary> || std::is_same_v<Op, ir::Where> || std::is_same_v<Op, ir::Cast>;

template <typename Op>
concept BoundToAxes = std::is_same_v<Op, ir::Conv> || std::is_same_v<Op, ir::MatMul> ||
    std::is_same_v<Op, ir::BatchNorm> || std::is_same_v<Op, ir::Pool> || std::is_same_v<Op, ir::Lrn> ||
    std::is_same_v<Op, ir::Reshape> || std::is_same_v<Op, ir::Transpose> || std::is_same_v<Op, ir::Gather>;

template <Elementwise Op>
std::optional<PermutedOp> permute(const Op& op, const Axes& perm) {
  return PermutedOp{op, perm};
}

template <BoundToAxes Op>
std::optional<PermutedOp> permute(const Op&, const Axes&) {
  return std::nullopt;
}

std::optional<PermutedOp> permute(const ir::Concat& op, const Axes& perm) {
  return PermutedOp{ir::Concat{axis_below(perm, op.axis)}, perm};
}

std::optional<PermutedOp> permute(const ir::Softmax& op, const Axes& perm) {
  return PermutedOp{ir::Softmax{axis_below(perm, op.axis), op.log}, perm};
}

std::optional<PermutedOp> permute(const ir::Pad& op, const Axes& perm) {
  return PermutedOp{ir::Pad{op.mode, permuted(op.begins, perm), permuted(op.ends, perm), op.value}, perm};
}

std::optional<PermutedOp> permute(const ir::Slice& op, const Axes& perm) {
  return PermutedOp{ir::Slice{permuted(op.starts, perm), permuted(op.steps, perm), permuted(op.shape, perm)}, perm};
}

std::optional<PermutedOp> permute(ir::Resize op, const Axes& perm) {
  op.scales = permuted(op.scales, perm);
  op.shape = permuted(op.shape, perm);
  return PermutedOp{std::move(op), perm};
}

std::optional<PermutedOp> permute(const ir::Expand& op, const Axes& perm) {
  if (op.shape.size() != perm.size()) return std::nullopt;
  return PermutedOp{ir::Expand{permuted(op.shape, perm)}, perm};
}

std::optional<PermutedOp> permute(const ir::Reduce& op, const Axes& perm) {
  ir::Reduce below = op;
  for (std::int64_t& axis : below.axes) axis = axis_below(perm, axis);
  std::ranges::sort(below.axes);
  if (op.keepdims) return PermutedOp{std::move(below), perm};

  const auto is_reduced = [&](std::int64_t axis) { return std::ranges::binary_search(below.axes, axis); };
  Axes kept;
  for (const std::int64_t axis : perm) {
    if (is_reduced(axis)) continue;
    kept.push_back(axis - std::ranges::count_if(below.axes, [&](std::int64_t reduced) { return reduced < axis; }));
  }
  return PermutedOp{std::move(below), std::move(kept)};
}

}  // namespace

std::optional<PermutedOp> permute_op(const ir::Op& op, std::span<const std::int64_t> perm) {
  const Axes axes(perm.begin(), perm.end());
  return std::visit([&](const auto& o) { return permute(o, axes); }, op);
}

ir::ValueId permuted_constant(ir::Graph& graph, ir::ValueId id, const std::vector<std::int64_t>& perm) {
  const ir::Tensor tensor = *graph.constant(id);
  if (tensor.size() == 1) return id;
  DEEPER_CHECK(tensor.shape().size() <= perm.size(), "permuting constant '" + graph.value(id).name + "'");
  ir::Shape shape(perm.size() - tensor.shape().size(), 1);
  shape.insert(shape.end(), tensor.shape().begin(), tensor.shape().end());
  const ir::Type type{tensor.dtype(), permuted(shape, inverse(perm))};
  const ir::Array array = ir::to_array(tensor.reshaped(shape));
  const std::array<const ir::Array*, 1> operands{&array};
  const ir::Array result = ir::evaluate_op(ir::Transpose{perm}, operands, type);
  return graph.add_constant(graph.value(id).name, ir::to_tensor(result, type.dtype));
}

}  // namespace deeper::passes
