#include "passes/affine.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"
#include "ir/match.h"
#include "passes/rewrite.h"

namespace deeper::passes {

using namespace ir;

namespace {

// Calls visit(index of the weight, output channel, input channel) in the order of storage.
template <typename Visit>
void for_each_weight(const Conv& conv, const Shape& weights, Visit visit) {
  const std::int64_t outputs_per_group = weights[0] / conv.groups;
  const std::int64_t area = weights[2] * weights[3];
  std::int64_t index = 0;
  for (std::int64_t m = 0; m < weights[0]; ++m) {
    for (std::int64_t k = 0; k < weights[1]; ++k) {
      const std::int64_t in = m / outputs_per_group * weights[1] + k;
      for (std::int64_t tap = 0; tap < area; ++tap) visit(index++, m, in);
    }
  }
}

template <typename Visit>
void for_each_weight(const MatMul& matmul, const Shape& weights, Visit visit) {
  std::int64_t index = 0;
  for (std::int64_t row = 0; row < weights[0]; ++row) {
    for (std::int64_t column = 0; column < weights[1]; ++column, ++index) {
      if (matmul.transpose_b) {
        visit(index, row, column);
      } else {
        visit(index, column, row);
      }
    }
  }
}

template <typename Visit>
void for_each_weight(const Node& linear, const Shape& weights, Visit visit) {
  if (const auto* conv = std::get_if<Conv>(&linear.op)) {
    for_each_weight(*conv, weights, visit);
  } else {
    for_each_weight(std::get<MatMul>(linear.op), weights, visit);
  }
}

std::vector<float> rounded(const std::vector<double>& numbers) {
  std::vector<float> result(numbers.size());
  std::ranges::transform(numbers, result.begin(), [](double number) { return static_cast<float>(number); });
  return result;
}

// Weights times scale[output channel].
std::vector<float> scaled_outputs(const Node& linear, const Tensor& weights, const std::vector<double>& scale) {
  std::vector<float> to(weights.floats().begin(), weights.floats().end());
  const auto* matmul = std::get_if<MatMul>(&linear.op);
  const bool rows_are_outputs = matmul == nullptr || matmul->transpose_b;
  const std::size_t row_length = to.size() / static_cast<std::size_t>(weights.shape()[0]);
  for (std::size_t i = 0; i < to.size(); i += row_length) {
    for (std::size_t k = 0; k < row_length; ++k) {
      to[i + k] = static_cast<float>(to[i + k] * scale[rows_are_outputs ? i / row_length : k]);
    }
  }
  return to;
}

// Weights times scale[input channel].
std::vector<float> scaled_inputs(const Node& linear, const Tensor& weights, const std::vector<double>& scale) {
  std::vector<float> to(weights.floats().begin(), weights.floats().end());
  for_each_weight(linear, weights.shape(), [&](std::int64_t i, std::int64_t, std::int64_t in) {
    to[i] = static_cast<float>(to[i] * scale[in]);
  });
  return to;
}

// The node's bias in double, zeros where it has none.
std::vector<double> bias_of(const Graph& graph, const Node& linear) {
  std::vector<double> bias(static_cast<std::size_t>(graph.shape(linear.output).at(1)), 0);
  const ValueId value = operand(linear, 2);
  if (value.valid()) std::ranges::copy(graph.constant(value)->floats(), bias.begin());
  return bias;
}

// The node's operands with others in place of x, weights and bias; no bias where there was none and this one is zero.
std::vector<ValueId> operands_with(Graph& graph, const Node& linear, ValueId x, std::vector<float> weights,
                                   const std::vector<double>& bias) {
  const ValueId old_bias = operand(linear, 2);
  const Value old_weights = graph.value(linear.inputs[1]);
  std::vector<ValueId> operands = linear.inputs;
  operands[0] = x;
  operands[1] = graph.add_constant(old_weights.name, Tensor::f32(old_weights.type.shape, std::move(weights)));
  if (!old_bias.valid() && std::ranges::all_of(bias, [](double b) { return b == 0; })) return operands;
  const std::string name = old_bias.valid() ? graph.value(old_bias).name : linear.name + "/bias";
  operands.resize(std::max<std::size_t>(operands.size(), 3));
  operands[2] = graph.add_constant(name, Tensor::f32({std::ssize(bias)}, rounded(bias)));
  return operands;
}

std::int64_t channels_of(const Graph& graph, ValueId value) { return graph.shape(value).at(1); }

// x op c (or c op x), for one channel, as scale and shift.
std::optional<std::pair<double, double>> affine_of(BinaryFunction function, double c, bool constant_first) {
  if (!std::isfinite(c)) return std::nullopt;
  if (function == BinaryFunction::add) return std::pair(1.0, c);
  if (function == BinaryFunction::mul) return std::pair(c, 0.0);
  if (function == BinaryFunction::sub) return constant_first ? std::pair(-1.0, c) : std::pair(1.0, -c);
  if (function == BinaryFunction::div && !constant_first && c != 0) return std::pair(1 / c, 0.0);
  return std::nullopt;
}

}  // namespace

Affine Affine::identity(std::int64_t channels) {
  return {.scale = std::vector<double>(channels, 1.0), .shift = std::vector<double>(channels, 0.0)};
}

Affine Affine::then(const Affine& next) const {
  DEEPER_CHECK(scale.size() == next.scale.size(), "composing affine maps");
  Affine result = *this;
  for (std::size_t c = 0; c < scale.size(); ++c) {
    result.scale[c] = scale[c] * next.scale[c];
    result.shift[c] = shift[c] * next.scale[c] + next.shift[c];
  }
  return result;
}

bool Affine::scales() const {
  return std::ranges::any_of(scale, [](double s) { return s != 1; });
}

bool Affine::shifts() const {
  return std::ranges::any_of(shift, [](double s) { return s != 0; });
}

bool Affine::invertible() const {
  return std::ranges::all_of(scale, [](double s) { return s != 0; });
}

std::optional<AffineNode> match_affine(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto* binary = std::get_if<Binary>(&node.op);
  if (binary == nullptr) return std::nullopt;
  const bool constant_first = graph.constant(node.inputs[0]).has_value();
  const ValueId x = node.inputs[constant_first ? 1 : 0];
  const ValueId constant = node.inputs[constant_first ? 0 : 1];
  const Type& type = graph.type(node.output);
  if (graph.constant(x) || !graph.constant(constant) || graph.type(x) != type) return std::nullopt;
  if (type.dtype != DataType::f32 || type.shape.size() < 2) return std::nullopt;
  const auto numbers = channel_constant(graph, constant, type.shape);
  if (!numbers) return std::nullopt;
  AffineNode result{.x = x, .map = {}};
  for (const float number : *numbers) {
    const auto channel = affine_of(binary->function, number, constant_first);
    if (!channel) return std::nullopt;
    result.map.scale.push_back(channel->first);
    result.map.shift.push_back(channel->second);
  }
  return result;
}

std::optional<AffineNode> match_batch_norm(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto* batch_norm = std::get_if<BatchNorm>(&node.op);
  if (batch_norm == nullptr) return std::nullopt;
  for (std::size_t i = 1; i < 5; ++i) {
    if (!graph.constant(node.inputs[i])) return std::nullopt;
  }
  const auto numbers = [&](std::size_t i) { return graph.constant(node.inputs[i])->floats(); };
  const std::span<const float> scale = numbers(1), bias = numbers(2), mean = numbers(3), variance = numbers(4);
  AffineNode result{.x = node.inputs[0], .map = Affine::identity(channels_of(graph, node.inputs[0]))};
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double spread = static_cast<double>(variance[c]) + static_cast<double>(batch_norm->epsilon);
    result.map.scale[c] = scale[c] / std::sqrt(spread);
    result.map.shift[c] = bias[c] - mean[c] * result.map.scale[c];
    if (!(spread > 0) || !std::isfinite(result.map.scale[c]) || !std::isfinite(result.map.shift[c])) {
      return std::nullopt;
    }
  }
  return result;
}

bool has_constant_weights(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const bool matrices = std::holds_alternative<MatMul>(node.op) && graph.shape(node.inputs[0]).size() == 2 &&
                        graph.shape(node.inputs[1]).size() == 2;
  if (!std::holds_alternative<Conv>(node.op) && !matrices) return false;
  const ValueId bias = operand(node, 2);
  return graph.constant(node.inputs[1]) && (!bias.valid() || graph.constant(bias));
}

bool can_fold_after(const Graph& graph, NodeId id) {
  return has_constant_weights(graph, id) && is_plain(graph.node(id));
}

bool is_unpadded(const Node& node) {
  const auto* conv = std::get_if<Conv>(&node.op);
  return conv == nullptr || conv->pads == Pads{0, 0, 0, 0};
}

void fold_after(Graph& graph, NodeId linear, const Affine& map, NodeId last) {
  const Node old = graph.node(linear);
  const Tensor weights = *graph.constant(old.inputs[1]);
  std::vector<double> bias = bias_of(graph, old);
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * map.scale[c] + map.shift[c];
  graph.rewrite(last, old.op, operands_with(graph, old, old.inputs[0], scaled_outputs(old, weights, map.scale), bias));
  graph.add_origins(last, old.origins);
}

void fold_before(Graph& graph, NodeId linear, const Affine& map, ValueId x) {
  const Node old = graph.node(linear);
  DEEPER_CHECK(is_unpadded(old) || !map.shifts(), "folding a shift before node '" + old.name + "'");
  const Tensor weights = *graph.constant(old.inputs[1]);
  std::vector<double> bias = bias_of(graph, old);
  const std::span<const float> numbers = weights.floats();
  if (map.shifts()) {
    for_each_weight(old, weights.shape(), [&](std::int64_t i, std::int64_t out, std::int64_t in) {
      bias[out] += numbers[i] * map.shift[in];
    });
  }
  graph.rewrite(linear, old.op, operands_with(graph, old, x, scaled_inputs(old, weights, map.scale), bias));
}

bool feeds_constant_weights_only(const Graph& graph, ValueId value) {
  const std::vector<NodeId> users = graph.users(value);
  if (users.empty() || graph.is_output(value)) return false;
  return std::ranges::all_of(users, [&](NodeId user) {
    const Node& node = graph.node(user);
    return has_constant_weights(graph, user) && node.inputs[0] == value && std::ranges::count(node.inputs, value) == 1;
  });
}

ValueId channel_vector(Graph& graph, const std::string& name, const std::vector<double>& numbers, std::size_t rank) {
  Shape shape(rank, 1);
  shape.at(1) = static_cast<std::int64_t>(numbers.size());
  return graph.add_constant(name, Tensor::f32(std::move(shape), rounded(numbers)));
}

void emit_affine(Graph& graph, NodeId last, ValueId x, const Affine& map) {
  const std::string name = graph.node(last).name;
  const ValueId result = graph.node(last).output;
  const std::size_t rank = graph.shape(x).size();
  const auto constant = [&](const std::vector<double>& numbers, const char* suffix) {
    return channel_vector(graph, name + suffix, numbers, rank);
  };
  if (!map.scales() && !map.shifts()) {
    graph.replace_uses(result, x);
    graph.erase(last);
    return;
  }
  if (!map.shifts()) {
    graph.rewrite(last, Binary{BinaryFunction::mul}, {x, constant(map.scale, "/scale")});
    return;
  }
  if (map.scales()) {
    const ValueId scale = constant(map.scale, "/scale");
    x = graph.insert_before(last, Binary{BinaryFunction::mul}, {x, scale}, name + "/scaled", graph.node(last).origins);
  }
  graph.rewrite(last, Binary{BinaryFunction::add}, {x, constant(map.shift, "/shift")});
}

}  // namespace deeper::passes
