#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/kernels/conv_shape.h"

// Convolutions with stride 2 on images of few channels, the stems of networks, as convolutions with stride 1: the four
// pixels of a square become the channels of one ("space to depth"), and the taps of a window those of one half as wide.
namespace deeper::backend::winograd {

inline constexpr std::int64_t kPhasePitch = 16;  // floats from pixel to pixel of such an image

bool has_phases(const ConvShape& shape);

// The convolution with stride 1, without padding, on the image of the phases; itself where it has none. Channel
// (2 p + q) C + c of pixel (y, x) is channel c of pixel (2 y + p, 2 x + q), counted from where the padding starts.
ConvShape without_stride(const ConvShape& shape);

// weights [M, C, kh, kw] of `shape` to those of without_stride(shape): [M, 4 C, (kh + 1) / 2, (kw + 1) / 2].
std::vector<float> phase_weights(const ConvShape& shape, std::span<const float> weights);

// Pixels [x, x + count) of row y of the phases of an image of `shape`, kPhasePitch apart; zeros outside the image. What
// lies between a pixel's last channel and the next pixel is undefined.
void copy_phases(const ConvShape& shape, const float* image, std::int64_t y, std::int64_t x, std::int64_t count,
                 float* to);

}  // namespace deeper::backend::winograd
