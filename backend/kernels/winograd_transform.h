#pragma once

#include <cstdint>
#include <span>

#include "backend/kernels/cooktoom.h"
#include "backend/kernels/epilogue.h"
#include "backend/target.h"

// The transforms of every row of the Cook-Toom table along one axis, over vectors of channels: straight-line code that
// the compiler derives from the row's points.
namespace deeper::backend {

// Functions for F(m, r) with n points; `channels` adjacent channels at a time. "p-th" counts points, "i-th" outputs.
struct AxisTransform {
  // out[p * out_stride + c] = sum over j of B^T[p][j] in[j][c]; in has n pointers.
  void (*input)(const float* const* in, std::int64_t channels, float* out, std::int64_t out_stride) = nullptr;
  // out[i * out_stride + c] = sum over p of A^T[i][p] in[p * in_stride + c].
  void (*output)(const float* in, std::int64_t in_stride, std::int64_t channels, float* out,
                 std::int64_t out_stride) = nullptr;
  // out[i][c] = activation(that sum + bias[c] + residual[i][c]); out and residual have m pointers, residual may be
  // null.
  void (*finish)(const float* in, std::int64_t in_stride, std::int64_t channels, float* const* out,
                 const float* const* residual, const float* bias, const Epilogue& epilogue) = nullptr;
};

// One per row of kCookToom.
std::span<const AxisTransform> axis_transforms(Isa isa);

}  // namespace deeper::backend
