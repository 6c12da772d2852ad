#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/kernels/amx.h"
#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/conv_shape.h"
#include "backend/kernels/rounding.h"

// How the weights of the kernel of AMX lie in memory: as the digits that tiles load, three bytes for a weight.
namespace deeper::backend::amx {

inline constexpr std::int64_t kLineFloats = sizeof(Line) / sizeof(float);

inline std::int64_t window(const ConvShape& shape) { return shape.kernel[0] * shape.kernel[1]; }
inline std::int64_t blocks_of(const ConvShape& shape) { return ceil_div(shape.in_channels, kBlockInputs); }
// Tiles of output channels.
inline std::int64_t channel_tiles(const ConvShape& shape) { return ceil_div(shape.out_channels, kTileRows); }

// Lines of the weights of `blocks` blocks of inputs for one tile of output channels.
inline std::int64_t weight_lines(const ConvShape& shape, std::int64_t blocks) {
  return blocks * window(shape) * kDigits * kTileRows;
}

// Blocks of inputs that are summed before the next ones, at most `most` at a time.
std::vector<Range> groups_of(const ConvShape& shape, std::int64_t most);

}  // namespace deeper::backend::amx
