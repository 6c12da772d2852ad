#pragma once

#include <cstdint>
#include <limits>

#include "backend/target.h"
#include "ir/ops.h"

// What follows the sum of products while a block is in cache: bias, residual, activation.
namespace deeper::backend {

// The activation as clamp(x < 0 ? slope x : x, low, high).
struct Epilogue {
  float low = 0;
  float high = 0;
  float slope = 1;
};
Epilogue make_epilogue(const ir::Activation& activation);

// True where `low` is all there is to it, as of Relu or of no activation.
inline bool is_floor(const Epilogue& epilogue) {
  return epilogue.slope == 1 && epilogue.high == std::numeric_limits<float>::infinity();
}

// block[pixel * stride + c] = activation(block[...] + bias[c] + residual[pixel * residual_stride + c]) in place, for
// `pixels` pixels of `channels` channels. bias and residual may be null.
using FinishBlock = void (*)(const Epilogue& epilogue, float* block, std::int64_t stride, std::int64_t pixels,
                             std::int64_t channels, const float* bias, const float* residual,
                             std::int64_t residual_stride);
FinishBlock finish_block(Isa isa);

}  // namespace deeper::backend
