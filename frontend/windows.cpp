#include "frontend/windows.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace deeper::frontend {
namespace {

constexpr std::int64_t kMostWindow = std::int64_t{1} << 31;

// A list attribute with one entry per spatial axis, at least `least` each; all `fallback` where absent.
std::vector<std::int64_t> spatial_list(const NodeContext& node, std::string_view name, std::size_t length,
                                       std::int64_t least, std::int64_t fallback) {
  const auto list = node.attributes().integers(name);
  if (!list || list->empty()) return std::vector<std::int64_t>(length, fallback);
  require(list->size() == length, "attribute '{}' has {} entries, must have {}", name, list->size(), length);
  for (const std::int64_t entry : *list) {
    require(entry >= least && entry < kMostWindow, "attribute '{}' is [{}]", name, fmt::join(*list, ","));
  }
  return *list;
}

std::vector<std::int64_t> read_kernel(const NodeContext& node, std::size_t spatial,
                                      const std::optional<ir::Shape>& kernel) {
  const auto attribute = node.attributes().integers("kernel_shape");
  if (!kernel) {
    require(attribute.has_value(), "attribute 'kernel_shape' is missing");
    return spatial_list(node, "kernel_shape", spatial, 1, 1);
  }
  require(!attribute || attribute->empty() || *attribute == *kernel,
          "attribute 'kernel_shape' is [{}], the weights are [{}]", fmt::join(attribute.value_or(ir::Shape{}), ","),
          fmt::join(*kernel, ","));
  return *kernel;
}

// Pads so that the result has ceil(input / stride) elements; an odd one goes at the end, with `lower` at the beginning.
std::array<std::int64_t, 2> same_pads(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                                      std::int64_t dilation, bool lower) {
  const std::int64_t output = (input + stride - 1) / stride;
  const std::int64_t reach = (kernel - 1) * dilation + 1;
  const std::int64_t total = std::max<std::int64_t>(0, (output - 1) * stride + reach - input);
  const std::int64_t begin = lower ? total - total / 2 : total / 2;
  return {begin, total - begin};
}

}  // namespace

Window read_window(const NodeContext& node, const ir::Shape& input, const std::optional<ir::Shape>& kernel) {
  require(input.size() == 3 || input.size() == 4, "an input of rank {} is not supported, only 3 and 4", input.size());
  const std::size_t spatial = input.size() - 2;
  const std::vector<std::int64_t> extents = read_kernel(node, spatial, kernel);
  const std::vector<std::int64_t> strides = spatial_list(node, "strides", spatial, 1, 1);
  const std::vector<std::int64_t> dilations = spatial_list(node, "dilations", spatial, 1, 1);
  const std::string auto_pad = node.attributes().text_or("auto_pad", "NOTSET");
  const bool lower = auto_pad == "SAME_LOWER";
  const bool same = lower || auto_pad == "SAME_UPPER";
  require(same || auto_pad == "NOTSET" || auto_pad == "VALID" || auto_pad.empty(), "auto_pad '{}' is unknown",
          auto_pad);
  std::vector<std::int64_t> pads(2 * spatial, 0);
  if (!same && auto_pad != "VALID") pads = spatial_list(node, "pads", 2 * spatial, 0, 0);

  Window window;
  window.ceil_mode = node.attributes().flag_or("ceil_mode", false);
  for (std::size_t i = 0; i < spatial; ++i) {
    const std::size_t at = i + 2 - spatial;
    require(extents[i] * dilations[i] < kMostWindow, "a kernel of {} with dilation {} is too large", extents[i],
            dilations[i]);
    window.kernel[at] = extents[i];
    window.strides[at] = strides[i];
    window.dilations[at] = dilations[i];
    const auto resolved = same ? same_pads(input[2 + i], extents[i], strides[i], dilations[i], lower)
                               : std::array{pads[i], pads[spatial + i]};
    window.pads[at] = resolved[0];
    window.pads[at + 2] = resolved[1];
  }
  return window;
}

ir::Conv read_conv(const NodeContext& node, const ir::Shape& input, const ir::Shape& weights) {
  require(weights.size() == input.size() && input.size() >= 2, "input has rank {}, weights have rank {}", input.size(),
          weights.size());
  const Window window = read_window(node, input, ir::Shape(weights.begin() + 2, weights.end()));
  return {.strides = window.strides,
          .dilations = window.dilations,
          .pads = window.pads,
          .groups = node.attributes().integer_or("group", 1)};
}

ir::Pool read_pool(const NodeContext& node, ir::PoolKind kind) {
  const Window window = read_window(node, node.shape(node.input(0)), std::nullopt);
  return {.kind = kind,
          .kernel = window.kernel,
          .strides = window.strides,
          .dilations = window.dilations,
          .pads = window.pads,
          .ceil_mode = window.ceil_mode,
          .count_include_pad = kind == ir::PoolKind::average && node.attributes().flag_or("count_include_pad", false)};
}

std::vector<std::int64_t> spatial_axes(std::int64_t rank) {
  require(rank >= 2, "the input has rank {}, must have 2 or more", rank);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(rank - 2));
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

ir::ValueId as_image(NodeContext& node, ir::ValueId value) {
  const ir::Shape& shape = node.shape(value);
  if (shape.size() != 3) return value;
  return node.reshape(value, {shape[0], shape[1], 1, shape[2]});
}

ir::ValueId from_image(NodeContext& node, ir::ValueId value, std::int64_t rank) {
  if (rank != 3) return value;
  const ir::Shape& shape = node.shape(value);
  return node.reshape(value, {shape[0], shape[1], shape[3]});
}

void image_result(NodeContext& node, ir::ValueId input, ir::Op op, std::vector<ir::ValueId> inputs) {
  if (node.rank(input) != 3) return node.result(std::move(op), std::move(inputs));
  const ir::ValueId image = node.add(std::move(op), std::move(inputs));
  const ir::Shape& shape = node.shape(image);
  node.result(ir::Reshape{.shape = {shape[0], shape[1], shape[3]}}, {image});
}

}  // namespace deeper::frontend
