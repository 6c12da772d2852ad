#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/winograd_tiles.h"

// Convolutions with stride 2 as convolutions with stride 1: the four pixels of a square, its phases, become the
// channels of one pixel ("space to depth"), and the taps of a window those of one half as wide. Where a window is odd,
// the second pixel of a pair meets one tap less, and its weights at an axis' last frequency, the point at infinity, are
// zeros.
namespace deeper::backend::winograd {

bool has_phases(const ConvShape& shape);

// The convolution with stride 1, without padding, on the image of the phases; itself where it has none. Channel
// (2 p + q) C + c of pixel (y, x) is channel c of pixel (2 y + p, 2 x + q), counted from where the padding starts.
ConvShape without_stride(const ConvShape& shape);

// A frequency of a kind of tiles: the input channels of without_stride(shape) whose weights are not all zeros.
struct Frequency {
  std::vector<Range> inputs;
  std::int64_t depth = 0;   // of them together
  std::int64_t before = 0;  // of all frequencies before
};
std::vector<Frequency> frequencies_of(const ConvShape& shape, const TileGroup& tiles);
// Depth of all frequencies together.
std::int64_t depth_of(const ConvShape& shape, const TileGroup& tiles);

// weights [M, C, kh, kw] of a `shape` with phases to those of without_stride(shape): [M, 4 C, (kh + 1) / 2, (kw + 1) /
// 2].
std::vector<float> phase_weights(const ConvShape& shape, std::span<const float> weights);

// Images of few channels are copied: what is transformed is as long as a vector then.
bool copies_phases(const ConvShape& shape);
inline constexpr std::int64_t kPhasePitch = 16;  // floats from pixel to pixel of such a copy

// Pixels [x, x + count) of row y of the phases of an image of `shape`, kPhasePitch apart; zeros outside the image. What
// lies between a pixel's last channel and the next pixel is undefined.
void copy_phases(const ConvShape& shape, const float* image, std::int64_t y, std::int64_t x, std::int64_t count,
                 float* to);

}  // namespace deeper::backend::winograd
