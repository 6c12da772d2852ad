// Folds the zeros (or minus infinities) that a Pad puts around an image into the pads of the conv or pool that reads
// it.
//
//   %p: f32[1,3,9,9] = Pad(%x) {begins=[0,0,0,0], ends=[0,0,1,1]}
//   %y: f32[1,8,4,4] = Conv(%p, %w) {strides=[2,2]}
//     -> %y: f32[1,8,4,4] = Conv(%x, %w) {strides=[2,2], pads=[0,0,1,1]}
//
// Exact: into a Conv with value 0; into an average with value 0 where what it pads itself (if anything) is counted;
// into a maximum with the lowest value, or with 0 where no element of the image is negative.
#include <algorithm>
#include <limits>

#include "ir/infer.h"
#include "passes/passes.h"

namespace deeper::passes {
namespace {

bool is_non_negative(const ir::Activation& activation) {
  switch (activation.function) {
    case ir::Function::relu:
    case ir::Function::sigmoid:
    case ir::Function::hard_sigmoid:
    case ir::Function::abs:
    case ir::Function::sqrt:
    case ir::Function::exp:
      return true;
    case ir::Function::clip:
      return activation.alpha >= 0;
    case ir::Function::identity:
    case ir::Function::leaky_relu:
    case ir::Function::tanh:
    case ir::Function::neg:
    case ir::Function::log:
    case ir::Function::reciprocal:
    case ir::Function::floor:
    case ir::Function::ceil:
    case ir::Function::round:
    case ir::Function::sign:
    case ir::Function::logical_not:
      return false;
  }
  return false;
}

// Whether a node's result has no negative element, given which values have none.
bool is_non_negative(const ir::Node& node, const std::vector<bool>& known) {
  if (const auto* unary = std::get_if<ir::Unary>(&node.op)) {
    if (is_non_negative(unary->function)) return true;
  }
  if (const auto* conv = std::get_if<ir::Conv>(&node.op)) return is_non_negative(conv->activation);
  const auto* pool = std::get_if<ir::Pool>(&node.op);
  if (pool != nullptr && pool->activation != ir::Activation{}) return is_non_negative(pool->activation);
  const auto* softmax = std::get_if<ir::Softmax>(&node.op);
  if (softmax != nullptr && !softmax->log) return true;
  const auto* pad = std::get_if<ir::Pad>(&node.op);
  if (pad != nullptr && pad->mode == ir::PadMode::constant && pad->value < 0) return false;
  const bool keeps_sign = pad != nullptr || pool != nullptr || std::holds_alternative<ir::Lrn>(node.op) ||
                          std::holds_alternative<ir::Concat>(node.op) || std::holds_alternative<ir::Slice>(node.op) ||
                          std::holds_alternative<ir::Identity>(node.op);
  return keeps_sign && std::ranges::all_of(node.inputs, [&](ir::ValueId id) { return known[id.index]; });
}

std::vector<bool> non_negative_values(const ir::Graph& graph) {
  std::vector<bool> known(graph.value_capacity(), false);
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    known[node.output.index] = is_non_negative(node, known);
  }
  return known;
}

// The amounts as a window's pads, where the Pad adds to height and width only.
std::optional<ir::Pads> image_pads(const ir::Pad& pad) {
  if (pad.mode != ir::PadMode::constant || pad.begins.size() != 4) return std::nullopt;
  for (std::size_t i = 0; i < 4; ++i) {
    if (pad.begins[i] < 0 || pad.ends[i] < 0) return std::nullopt;
    if (i < 2 && (pad.begins[i] != 0 || pad.ends[i] != 0)) return std::nullopt;
  }
  return ir::Pads{pad.begins[2], pad.begins[3], pad.ends[2], pad.ends[3]};
}

ir::Pads sum(const ir::Pads& a, const ir::Pads& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]}; }

std::optional<ir::Pool> fold_into_average(const ir::Pad& pad, const ir::Pads& amounts, ir::Pool pool) {
  const bool pads_itself = pool.pads != ir::Pads{0, 0, 0, 0};
  if (pad.value != 0 || (pads_itself && !pool.count_include_pad)) return std::nullopt;
  pool.pads = sum(pool.pads, amounts);
  pool.count_include_pad = true;
  return pool;
}

std::optional<ir::Pool> fold_into_maximum(const ir::Pad& pad, const ir::Pads& amounts, bool non_negative,
                                          ir::Pool pool) {
  const bool never_wins = pad.value <= std::numeric_limits<float>::lowest() || (pad.value == 0 && non_negative);
  if (!never_wins || pool.dilations != ir::Extent2{1, 1}) return std::nullopt;
  pool.pads = sum(pool.pads, amounts);
  return pool;
}

// Every window must still hold an element of the image, and there must be as many windows as before.
bool fits(const ir::Graph& graph, const ir::Pool& pool, ir::ValueId image, const ir::Type& result) {
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = (pool.kernel[i] - 1) * pool.dilations[i] + 1;
    if (pool.pads[i] >= reach || pool.pads[i + 2] >= reach) return false;
  }
  const std::array<ir::ValueId, 1> operands{image};
  return ir::infer(pool, graph, operands) == result;
}

bool fold(ir::Graph& graph, ir::NodeId id, bool non_negative) {
  const ir::Node node = graph.node(id);
  const auto* pad = graph.producer_as<ir::Pad>(node.inputs[0]);
  if (pad == nullptr) return false;
  const std::optional<ir::Pads> amounts = image_pads(*pad);
  if (!amounts) return false;
  const ir::Node& padding = graph.node(graph.producer(node.inputs[0]));
  std::vector<ir::ValueId> operands = node.inputs;
  operands[0] = padding.inputs[0];

  std::optional<ir::Op> folded;
  if (const auto* conv = std::get_if<ir::Conv>(&node.op); conv != nullptr && pad->value == 0) {
    ir::Conv padded = *conv;
    padded.pads = sum(conv->pads, *amounts);
    folded = padded;
  } else if (const auto* pool = std::get_if<ir::Pool>(&node.op)) {
    const std::optional<ir::Pool> padded = pool->kind == ir::PoolKind::average
                                               ? fold_into_average(*pad, *amounts, *pool)
                                               : fold_into_maximum(*pad, *amounts, non_negative, *pool);
    if (padded && fits(graph, *padded, operands[0], graph.type(node.output))) folded = *padded;
  }
  if (!folded) return false;
  const std::vector<std::string> origins = padding.origins;
  graph.rewrite(id, *folded, operands);
  graph.add_origins(id, origins);
  return true;
}

}  // namespace

bool fold_pad(ir::Graph& graph) {
  const std::vector<bool> non_negative = non_negative_values(graph);
  bool changed = false;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (!std::holds_alternative<ir::Conv>(node.op) && !std::holds_alternative<ir::Pool>(node.op)) continue;
    while (fold(graph, id, non_negative[node.inputs[0].index])) changed = true;
  }
  if (changed) graph.prune();
  return changed;
}

}  // namespace deeper::passes
