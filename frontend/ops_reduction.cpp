// Reductions over axes.
#include <array>
#include <numeric>

#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

using ir::BinaryFunction;
using ir::Function;
using ir::ReduceKind;

// The first opset whose axes are an operand.
constexpr std::int64_t kAxesOperandOfSum = 13;
constexpr std::int64_t kAxesOperand = 18;

struct Axes {
  std::vector<std::int64_t> axes;
  bool keepdims = true;
  bool does_nothing = false;  // no axes, and noop_with_empty_axes
};

Axes read_axes(const NodeContext& node) {
  const std::int64_t rank = node.rank(node.input(0));
  const std::int64_t since = node.op_type() == "ReduceSum" ? kAxesOperandOfSum : kAxesOperand;
  Axes result;
  result.keepdims = node.attributes().flag_or("keepdims", true);
  result.axes = node.axes(node.integers_since(since, "axes", 1).value_or(std::vector<std::int64_t>{}), rank);
  if (!result.axes.empty()) return result;
  result.does_nothing = node.attributes().flag_or("noop_with_empty_axes", false);
  if (!result.does_nothing) {
    result.axes.resize(static_cast<std::size_t>(rank));
    std::iota(result.axes.begin(), result.axes.end(), 0);
  }
  return result;
}

ir::Reduce reduce(ReduceKind kind, const Axes& axes) {
  return {.kind = kind, .axes = axes.axes, .keepdims = axes.keepdims};
}

template <ReduceKind kind>
void import_reduce(NodeContext& node) {
  const Axes axes = read_axes(node);
  if (axes.does_nothing) return node.result(ir::Identity{}, {node.input(0)});
  node.result(reduce(kind, axes), {node.input(0)});
}

void import_reduce_l1(NodeContext& node) {
  const Axes axes = read_axes(node);
  node.result(reduce(ReduceKind::sum, axes), {node.unary(Function::abs, node.input(0))});
}

ir::ValueId squared(NodeContext& node) { return node.binary(BinaryFunction::mul, node.input(0), node.input(0)); }

void import_reduce_sum_square(NodeContext& node) {
  const Axes axes = read_axes(node);
  node.result(reduce(ReduceKind::sum, axes), {squared(node)});
}

void import_reduce_l2(NodeContext& node) {
  const Axes axes = read_axes(node);
  const ir::ValueId sum = node.add(reduce(ReduceKind::sum, axes), {squared(node)});
  node.result(ir::Unary{.function = {.function = Function::sqrt}}, {sum});
}

void import_reduce_log_sum(NodeContext& node) {
  const Axes axes = read_axes(node);
  const ir::ValueId sum = node.add(reduce(ReduceKind::sum, axes), {node.input(0)});
  node.result(ir::Unary{.function = {.function = Function::log}}, {sum});
}

// max + log(sum(exp(x - max))), which does not overflow
void import_reduce_log_sum_exp(NodeContext& node) {
  const Axes axes = read_axes(node);
  Axes kept = axes;
  kept.keepdims = true;
  const ir::ValueId most = node.add(reduce(ReduceKind::max, kept), {node.input(0)});
  const ir::ValueId powers = node.unary(Function::exp, node.binary(BinaryFunction::sub, node.input(0), most));
  const ir::ValueId sum = node.add(reduce(ReduceKind::sum, axes), {powers});
  const ir::ValueId offset = node.reshape(most, node.shape(sum));
  node.result(ir::Binary{.function = BinaryFunction::add}, {node.unary(Function::log, sum), offset});
}

constexpr std::array kRows = {
    ImporterRow{"", "ReduceMean", 3, kOpen, import_reduce<ReduceKind::mean>},
    ImporterRow{"", "ReduceSum", 3, kOpen, import_reduce<ReduceKind::sum>},
    ImporterRow{"", "ReduceMax", 3, kOpen, import_reduce<ReduceKind::max>},
    ImporterRow{"", "ReduceMin", 3, kOpen, import_reduce<ReduceKind::min>},
    ImporterRow{"", "ReduceProd", 3, kOpen, import_reduce<ReduceKind::prod>},
    ImporterRow{"", "ReduceL1", 3, kOpen, import_reduce_l1},
    ImporterRow{"", "ReduceL2", 3, kOpen, import_reduce_l2},
    ImporterRow{"", "ReduceSumSquare", 3, kOpen, import_reduce_sum_square},
    ImporterRow{"", "ReduceLogSum", 3, kOpen, import_reduce_log_sum},
    ImporterRow{"", "ReduceLogSumExp", 3, kOpen, import_reduce_log_sum_exp},
};

}  // namespace

std::span<const ImporterRow> reduction_rows() { return kRows; }

}  // namespace deeper::frontend
