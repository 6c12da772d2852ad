#pragma once

#include <cstdint>

#include "ir/ops.h"

namespace deeper::frontend::zoo {

// The window of a convolution or a pool.
struct Window {
  ir::Extent2 kernel{1, 1};
  ir::Extent2 strides{1, 1};
  ir::Pads pads{0, 0, 0, 0};
};

inline Window padded(std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  return {{kernel, kernel}, {stride, stride}, {pad, pad, pad, pad}};
}

// Stays within its input.
inline Window valid(std::int64_t kernel, std::int64_t stride) { return padded(kernel, stride, 0); }

// Stride 1 and odd: the result has the extents of the input.
inline Window same(std::int64_t height, std::int64_t width) {
  return {{height, width}, {1, 1}, {(height - 1) / 2, (width - 1) / 2, (height - 1) / 2, (width - 1) / 2}};
}
inline Window same(std::int64_t kernel) { return same(kernel, kernel); }

// TensorFlow's SAME: extents divided by the stride, rounded up; odd padding goes to the bottom and the right.
inline Window same_upper(std::int64_t kernel, std::int64_t stride, std::int64_t height, std::int64_t width) {
  const auto total = [&](std::int64_t extent) {
    const std::int64_t needed = ((extent + stride - 1) / stride - 1) * stride + kernel - extent;
    return needed > 0 ? needed : 0;
  };
  const std::int64_t rows = total(height);
  const std::int64_t columns = total(width);
  return {{kernel, kernel}, {stride, stride}, {rows / 2, columns / 2, rows - rows / 2, columns - columns / 2}};
}

inline ir::Pool max_pool(const Window& window, bool ceil_mode) {
  return {ir::PoolKind::max, window.kernel, window.strides, {1, 1}, window.pads, ceil_mode, false};
}
inline ir::Pool average_pool(const Window& window, bool count_include_pad) {
  return {ir::PoolKind::average, window.kernel, window.strides, {1, 1}, window.pads, false, count_include_pad};
}

}  // namespace deeper::frontend::zoo
