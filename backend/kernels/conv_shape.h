#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "backend/target.h"
#include "ir/ops.h"
#include "runtime/plan.h"

// A convolution as the kernels of this folder see it: NHWC images, possibly channel slices of wider ones.
namespace deeper::backend {

// Distances in elements between images, rows and pixels; channels are adjacent.
struct ImageStrides {
  std::int64_t image = 0;
  std::int64_t row = 0;
  std::int64_t pixel = 0;
  bool operator==(const ImageStrides&) const = default;
};

// Those of a step's operand. Nothing where it is not NHWC.
std::optional<ImageStrides> image_strides_of(const runtime::Operand& operand);

struct ConvShape {
  std::int64_t batch = 1;
  std::int64_t in_channels = 0;   // of all groups
  std::int64_t out_channels = 0;  // of all groups
  ir::Extent2 input{0, 0};        // height, width
  ir::Extent2 output{0, 0};
  ir::Extent2 kernel{1, 1};
  ir::Conv op;
  bool has_bias = false;
  bool has_residual = false;
  bool residual_in_place = false;  // the residual lies where the result goes
  ImageStrides source;
  ImageStrides result;
  ImageStrides residual;

  std::int64_t group_inputs() const { return in_channels / op.groups; }
  std::int64_t group_outputs() const { return out_channels / op.groups; }
  bool operator==(const ConvShape&) const = default;
};

// The convolution of a step whose operands are x, weights, [bias], [residual]. Nothing where an image is not NHWC.
// Of a step that pools its operand, `input` and `source` are what that gives, without gaps; of one that pools its
// result, `output` is what it pools and `result` where that goes.
std::optional<ConvShape> conv_shape(const runtime::Step& step);

// A convolution on dense NHWC images; strides as dense ones have, output extents from the window.
ConvShape dense_conv_shape(std::int64_t batch, std::int64_t in_channels, ir::Extent2 input, std::int64_t out_channels,
                           ir::Extent2 kernel, const ir::Conv& op);

// Outputs [first, last) of an axis that tap `tap` reads inside the input.
struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t size() const { return last - first; }
  bool operator==(const Range&) const = default;
};
Range valid_outputs(const ConvShape& shape, int axis, std::int64_t tap);
// Taps [first, last) of an axis that are inside the input for output `position`; empty ones have first == last.
Range valid_taps(const ConvShape& shape, int axis, std::int64_t position);

// Multiply-adds without those on padding.
std::int64_t multiply_adds(const ConvShape& shape);

// Whether Epilogue can apply the convolution's activation.
bool has_simple_activation(const ir::Activation& activation);

// [first, last) of `count` items for member `index` of `parts`, as even as may be.
Range share(std::int64_t count, std::int64_t index, std::int64_t parts);

}  // namespace deeper::backend
