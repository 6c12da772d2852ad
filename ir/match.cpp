#include "ir/match.h"

#include <algorithm>

namespace deeper::ir {
namespace {

// Pairs (result position, tap) along one axis whose tap reads the input and not padding.
std::int64_t inner_taps(std::int64_t input, std::int64_t result, std::int64_t kernel, std::int64_t stride,
                        std::int64_t dilation, std::int64_t pad_begin) {
  std::int64_t taps = 0;
  for (std::int64_t i = 0; i < result; ++i) {
    for (std::int64_t k = 0; k < kernel; ++k) {
      const std::int64_t at = i * stride + k * dilation - pad_begin;
      if (at >= 0 && at < input) ++taps;
    }
  }
  return taps;
}

std::int64_t count(const Conv& op, const Graph& graph, const Node& node, bool skip_padding) {
  const Shape& x = graph.shape(node.inputs[0]);
  const Shape& weights = graph.shape(node.inputs[1]);
  const Shape& result = graph.shape(node.output);
  std::int64_t total = result[0] * result[1] * weights[1];
  for (std::size_t i = 0; i < 2; ++i) {
    total *= skip_padding
                 ? inner_taps(x[2 + i], result[2 + i], weights[2 + i], op.strides[i], op.dilations[i], op.pads[i])
                 : result[2 + i] * weights[2 + i];
  }
  return total;
}

std::int64_t count(const MatMul&, const Graph& graph, const Node& node, bool) {
  return element_count(graph.shape(node.output)) * graph.shape(node.inputs[0]).back();
}

template <typename Other>
std::int64_t count(const Other&, const Graph&, const Node&, bool) {
  return 0;
}

}  // namespace

std::optional<float> uniform_constant(const Graph& graph, ValueId value) {
  if (!value.valid() || !graph.constant(value) || !graph.constant(value)->is_f32()) return std::nullopt;
  const std::span<const float> data = graph.constant(value)->floats();
  if (data.empty()) return std::nullopt;
  if (!std::ranges::all_of(data, [&](float x) { return x == data[0]; })) return std::nullopt;
  return data[0];
}

std::optional<std::vector<float>> channel_constant(const Graph& graph, ValueId value, const Shape& shape) {
  if (!value.valid() || !graph.constant(value) || !graph.constant(value)->is_f32()) return std::nullopt;
  const Tensor& constant = *graph.constant(value);
  const std::size_t rank = constant.shape().size();
  if (shape.size() < 2 || rank > shape.size()) return std::nullopt;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t axis = shape.size() - rank + i;
    const std::int64_t extent = constant.shape()[i];
    if (extent != 1 && !(axis == 1 && extent == shape[1])) return std::nullopt;
  }
  const std::span<const float> data = constant.floats();
  if (data.size() == 1) return std::vector<float>(static_cast<std::size_t>(shape[1]), data[0]);
  return std::vector<float>(data.begin(), data.end());
}

Extent2 kernel_of(const Graph& graph, const Node& conv) {
  const Shape& weights = graph.shape(conv.inputs.at(1));
  return {weights.at(2), weights.at(3)};
}

std::int64_t multiply_adds(const Graph& graph, const Node& node, bool skip_padding) {
  return std::visit([&](const auto& op) { return count(op, graph, node, skip_padding); }, node.op);
}

}  // namespace deeper::ir
