#pragma once

#include <cstdint>
#include <span>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/cooktoom.h"
#include "backend/kernels/epilogue.h"
#include "backend/target.h"

// The transforms of every row of the Cook-Toom table along one axis, over vectors of channels: straight-line code that
// the compiler derives from the row's points.
namespace deeper::backend {

// Transforms of as many lines, each of adjacent channels.
struct Lines {
  std::int64_t count = 1;
  std::int64_t channels = 0;
};

// Steps in floats: from line to line, and from point to point (or output to output) of a line.
struct Pitch {
  std::int64_t line = 0;
  std::int64_t point = 0;
};

// What an input transform reads: point j of line l is the channels at lines[l][offset + j * point]. Lines that are null
// and points that are not among `points` lie outside the image; they are zeros.
struct Inputs {
  const float* const* lines = nullptr;
  std::int64_t offset = 0;
  std::int64_t point = 0;
  Range points;
  const float* zeros = nullptr;
};

// Where results go: output i of line l to at[l * pitch.line + i * pitch.point]; those from `count` on lie outside the
// image and go to `discarded`. Residuals, which may be null, come from where the outputs of their own pitch are.
struct Outputs {
  float* at = nullptr;
  Pitch pitch;
  std::int64_t count = 0;
  float* discarded = nullptr;
  const float* residual = nullptr;
  Pitch residual_pitch{};
};

// Functions for F(m, r) with n points, for every line l. "p-th" counts points, "i-th" outputs.
struct AxisTransform {
  // out[l, p][c] = sum over j of B^T[p][j] in[l, j][c]
  void (*input)(const Inputs& in, Lines lines, float* out, Pitch out_pitch) = nullptr;
  // out[l, i][c] = sum over p of A^T[i][p] in[l, p][c]
  void (*output)(const float* in, Pitch in_pitch, Lines lines, float* out, Pitch out_pitch) = nullptr;
  // out[l, i][c] = activation(that sum + bias[c] + residual[l, i][c])
  void (*finish)(const float* in, Pitch in_pitch, Lines lines, const Outputs& out, const float* bias,
                 const Epilogue& epilogue) = nullptr;
};

// One per row of kCookToom.
std::span<const AxisTransform> axis_transforms(Isa isa);

}  // namespace deeper::backend
