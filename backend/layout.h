#pragma once

#include <cstdint>
#include <optional>

#include "ir/type.h"

// Where the elements of a value lie: strides in elements per logical axis. Values of rank 4 are kept in NHWC (channel
// stride 1), all others row-major. Strides of axes with one element carry no information; normalized() fixes them.
namespace deeper::backend {

// The engine's own layout for a shape, without gaps.
ir::Shape layout_strides(const ir::Shape& shape);

// The stride between pixels where the elements lie as NHWC with `stride >= channels` (a channel slice where greater),
// or, for other ranks, 0 where they lie row-major without gaps; nothing otherwise.
std::optional<std::int64_t> pixel_stride(const ir::Shape& shape, const ir::Shape& strides);

// Strides of an image whose pixels are `pixel_stride` apart.
ir::Shape image_strides(const ir::Shape& shape, std::int64_t pixel_stride);

// Same place for every element: strides are equal where the extent is not 1.
bool same_strides(const ir::Shape& shape, const ir::Shape& a, const ir::Shape& b);

// Elements in row-major order without gaps.
bool is_row_major(const ir::Shape& shape, const ir::Shape& strides);

// Without gaps in the engine's own layout.
bool is_dense(const ir::Shape& shape, const ir::Shape& strides);

// Strides under which the same memory reads as `to`, elements in row-major order; nothing where there are none.
std::optional<ir::Shape> reshaped_strides(const ir::Shape& from, const ir::Shape& strides, const ir::Shape& to);

// Elements from the first to behind the last.
std::int64_t extent(const ir::Shape& shape, const ir::Shape& strides);

}  // namespace deeper::backend
