#pragma once

#include <cstdint>
#include <span>

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

// Functions for F(m, r) with n points, for every line l. "p-th" counts points, "i-th" outputs.
struct AxisTransform {
  // out[l, p][c] = sum over j of B^T[p][j] in[l * n + j][first + c]
  void (*input)(const float* const* in, std::int64_t first, Lines lines, float* out, Pitch out_pitch) = nullptr;
  // out[l, i][c] = sum over p of A^T[i][p] in[l, p][c]
  void (*output)(const float* in, Pitch in_pitch, Lines lines, float* out, Pitch out_pitch) = nullptr;
  // out[l * m + i][first + c] = activation(that sum + bias[first + c] + residual[l * m + i][first + c]); residual may
  // be null.
  void (*finish)(const float* in, Pitch in_pitch, Lines lines, float* const* out, const float* const* residual,
                 const float* bias, std::int64_t first, const Epilogue& epilogue) = nullptr;
};

// One per row of kCookToom.
std::span<const AxisTransform> axis_transforms(Isa isa);

}  // namespace deeper::backend
