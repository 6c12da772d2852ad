#include "backend/kernels/winograd_phases.h"

#include <algorithm>
#include <cstring>

#include "backend/kernels/rounding.h"

namespace deeper::backend::winograd {
namespace {

constexpr std::int64_t kStride = 2;

// Whether the second pixels of pairs along an axis have no weights at its last frequency, and are left out there. Along
// x they are not adjacent: of few channels it takes longer to multiply them apart than to multiply zeros.
bool leaves_out(const ConvShape& shape, int axis) {
  return has_phases(shape) && shape.kernel[axis] % kStride != 0 && (axis == 0 || !copies_phases(shape));
}

}  // namespace

bool has_phases(const ConvShape& shape) {
  return shape.op.strides == ir::Extent2{kStride, kStride} && shape.kernel[0] > kStride && shape.kernel[1] > kStride;
}

bool copies_phases(const ConvShape& shape) {
  return has_phases(shape) && kStride * kStride * shape.in_channels <= kPhasePitch;
}

std::vector<Frequency> frequencies_of(const ConvShape& shape, const TileGroup& tiles) {
  const std::int64_t all = without_stride(shape).in_channels;
  const std::int64_t pair = all / kStride;
  std::vector<Frequency> frequencies;
  std::int64_t before = 0;
  for (int i = 0; i < tiles.y().points(); ++i) {
    for (int j = 0; j < tiles.x().points(); ++j) {
      Frequency frequency{.inputs = {}, .depth = 0, .before = before};
      // Whether the second pixels of pairs have weights.
      const bool has_y = !leaves_out(shape, 0) || i + 1 < tiles.y().points();
      const bool has_x = !leaves_out(shape, 1) || j + 1 < tiles.x().points();
      const std::int64_t row = has_x ? pair : pair / kStride;
      frequency.inputs.push_back({0, has_x && has_y ? all : row});
      if (has_y && !has_x) frequency.inputs.push_back({pair, pair + row});
      for (const Range& range : frequency.inputs) frequency.depth += range.size();
      before += frequency.depth;
      frequencies.push_back(std::move(frequency));
    }
  }
  return frequencies;
}

std::int64_t depth_of(const ConvShape& shape, const TileGroup& tiles) {
  const std::int64_t all = without_stride(shape).in_channels;
  if (!has_phases(shape)) return all * tiles.frequencies();
  // Frequencies of the first and of the second pixels of pairs, along each axis.
  const std::int64_t y = kStride * tiles.y().points() - (leaves_out(shape, 0) ? 1 : 0);
  const std::int64_t x = kStride * tiles.x().points() - (leaves_out(shape, 1) ? 1 : 0);
  return all / (kStride * kStride) * y * x;
}

ConvShape without_stride(const ConvShape& shape) {
  if (!has_phases(shape)) return shape;
  ConvShape result = shape;
  result.in_channels = kStride * kStride * shape.in_channels;
  result.op.strides = {1, 1};
  result.op.pads = {0, 0, 0, 0};
  for (int axis = 0; axis < 2; ++axis) {
    result.kernel[axis] = (shape.kernel[axis] + kStride - 1) / kStride;
    result.input[axis] = shape.output[axis] + result.kernel[axis] - 1;
  }
  return result;
}

std::vector<float> phase_weights(const ConvShape& shape, std::span<const float> weights) {
  const ir::Extent2 window = without_stride(shape).kernel;
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(shape.out_channels * shape.in_channels * window[0] * window[1]) * 4);
  for (std::int64_t m = 0; m < shape.out_channels; ++m) {
    for (std::int64_t phase = 0; phase < kStride * kStride; ++phase) {
      for (std::int64_t c = 0; c < shape.in_channels; ++c) {
        const float* taps = weights.data() + (m * shape.in_channels + c) * shape.kernel[0] * shape.kernel[1];
        for (std::int64_t i = 0; i < window[0]; ++i) {
          for (std::int64_t j = 0; j < window[1]; ++j) {
            const std::int64_t y = i * kStride + phase / kStride;
            const std::int64_t x = j * kStride + phase % kStride;
            const bool is_tap = y < shape.kernel[0] && x < shape.kernel[1];
            result.push_back(is_tap ? taps[y * shape.kernel[1] + x] : 0.0F);
          }
        }
      }
    }
  }
  return result;
}

void copy_phases(const ConvShape& shape, const float* image, std::int64_t y, std::int64_t x, std::int64_t count,
                 float* to) {
  constexpr std::int64_t kAtOnce = 8;  // floats; what that is too much is undefined or written by the next row
  const std::int64_t channels = shape.in_channels;
  const std::int64_t width = shape.input[1];
  const auto source_x = [&](std::int64_t i) { return (x + i) * kStride - shape.op.pads[1]; };
  // Pixels that are copied at once: those inside the image, as far as its end allows.
  Range whole;
  if (shape.source.pixel == channels) {
    whole.first = std::clamp<std::int64_t>((1 - source_x(0)) / kStride, 0, count);
    whole.last =
        std::clamp<std::int64_t>((width - ceil_div(kAtOnce, channels) - source_x(0) + kStride) / kStride, 0, count);
  }
  for (std::int64_t p = 0; p < kStride; ++p, to += kStride * channels) {
    const std::int64_t source_y = y * kStride + p - shape.op.pads[0];
    const bool inside = source_y >= 0 && source_y < shape.input[0];
    const float* row = inside ? image + source_y * shape.source.row : nullptr;
    for (std::int64_t i = 0; i < count; ++i) {
      if (inside && i == whole.first) {
        const float* from = row + source_x(i) * channels;
        for (; i < whole.last; ++i, from += kStride * channels) {
          std::memcpy(to + i * kPhasePitch, from, kAtOnce * sizeof(float));
        }
        if (i == count) break;
      }
      float* pixel = to + i * kPhasePitch;
      for (std::int64_t q = 0; q < kStride; ++q) {
        const bool covered = inside && source_x(i) + q >= 0 && source_x(i) + q < width;
        for (std::int64_t c = 0; c < channels; ++c) {
          pixel[q * channels + c] = covered ? row[(source_x(i) + q) * shape.source.pixel + c] : 0.0F;
        }
      }
    }
  }
}

}  // namespace deeper::backend::winograd
