#include "backend/layout.h"

namespace deeper::backend {

ir::Shape layout_strides(const ir::Shape& shape) {
  return shape.size() == 4 ? image_strides(shape, shape[1]) : ir::row_major_strides(shape);
}

ir::Shape image_strides(const ir::Shape& shape, std::int64_t pixel_stride) {
  return {shape[2] * shape[3] * pixel_stride, 1, shape[3] * pixel_stride, pixel_stride};
}

bool same_strides(const ir::Shape& shape, const ir::Shape& a, const ir::Shape& b) {
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] != 1 && a[axis] != b[axis]) return false;
  }
  return true;
}

bool is_row_major(const ir::Shape& shape, const ir::Shape& strides) {
  return same_strides(shape, strides, ir::row_major_strides(shape));
}

bool is_dense(const ir::Shape& shape, const ir::Shape& strides) {
  return same_strides(shape, strides, layout_strides(shape));
}

std::optional<std::int64_t> pixel_stride(const ir::Shape& shape, const ir::Shape& strides) {
  if (shape.size() != 4) return is_row_major(shape, strides) ? std::optional<std::int64_t>(0) : std::nullopt;
  std::int64_t stride = shape[1];
  if (shape[3] != 1) {
    stride = strides[3];
  } else if (shape[2] != 1) {
    stride = strides[2];
  } else if (shape[0] != 1) {
    stride = strides[0];
  }
  if (stride < shape[1] || !same_strides(shape, strides, image_strides(shape, stride))) return std::nullopt;
  return stride;
}

std::optional<ir::Shape> reshaped_strides(const ir::Shape& from, const ir::Shape& strides, const ir::Shape& to) {
  ir::Shape old_shape;
  ir::Shape old_strides;
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    if (from[axis] == 1) continue;
    old_shape.push_back(from[axis]);
    old_strides.push_back(strides[axis]);
  }
  ir::Shape result(to.size(), 1);
  std::size_t old_axis = 0;
  std::size_t new_axis = 0;
  // Matches runs of old axes with runs of new ones of the same size; inside an old run memory must be contiguous.
  while (old_axis < old_shape.size()) {
    const std::size_t new_begin = new_axis;
    std::int64_t old_size = old_shape[old_axis];
    std::int64_t new_size = 1;
    while (new_axis < to.size() && to[new_axis] == 1) ++new_axis;
    if (new_axis == to.size()) return std::nullopt;
    new_size = to[new_axis++];
    while (old_size != new_size) {
      if (new_size < old_size) {
        if (new_axis == to.size()) return std::nullopt;
        new_size *= to[new_axis++];
      } else {
        if (old_axis + 1 == old_shape.size()) return std::nullopt;
        if (old_strides[old_axis] != old_shape[old_axis + 1] * old_strides[old_axis + 1]) return std::nullopt;
        old_size *= old_shape[++old_axis];
      }
    }
    std::int64_t stride = old_strides[old_axis++];
    for (std::size_t axis = new_axis; axis-- > new_begin;) {
      result[axis] = stride;
      stride *= to[axis];
    }
  }
  return result;
}

std::int64_t extent(const ir::Shape& shape, const ir::Shape& strides) {
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 0) return 0;
    last += (shape[axis] - 1) * strides[axis];
  }
  return last + 1;
}

}  // namespace deeper::backend
