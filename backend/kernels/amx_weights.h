#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/kernels/amx.h"
#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/conv_shape.h"
#include "backend/kernels/rounding.h"

// How the weights of the kernel of AMX lie in memory: as parts, or as fp32 that become parts on their way to the tiles.
// Three parts take half as much again to fetch, which is what large weights that meet few pixels wait for.
namespace deeper::backend::amx {

inline constexpr std::int64_t kStripe = 2 * kTileRows;    // output channels of a product, and its pixels
inline constexpr std::int64_t kPlainRow = 2 * kTileRows;  // floats of a pair of inputs for a tile of output channels

inline std::int64_t window(const ConvShape& shape) { return shape.kernel[0] * shape.kernel[1]; }
inline std::int64_t blocks_of(const ConvShape& shape) { return ceil_div(shape.in_channels, kBlockInputs); }
inline std::int64_t stripes_of(const ConvShape& shape) { return ceil_div(shape.out_channels, kStripe); }

// Tiles of output channels that a stripe has.
inline std::int64_t channel_tiles(const ConvShape& shape, std::int64_t stripe) {
  return ceil_div(std::min(kStripe, shape.out_channels - stripe * kStripe), kTileRows);
}

// Rows of the weights of `blocks` blocks of inputs for one tile of output channels.
inline std::int64_t weight_rows(const ConvShape& shape, std::int64_t blocks) {
  return blocks * window(shape) * kTileRows;
}

// Floats of a row in memory.
std::int64_t row_floats(const Tuning& tuning);

// Blocks of inputs that are summed before the next ones, at most `most` at a time.
std::vector<Range> groups_of(const ConvShape& shape, std::int64_t most);

// Splits the weights of a stripe, in the order they are read in, in steps of a few rows.
class WeightSplitter {
 public:
  WeightSplitter() = default;
  // From `from`, `steps` times (a block of inputs under a tap) the plain rows of `tiles` tiles of output channels, to
  // lines [step][part][tile][row].
  WeightSplitter(const float* from, std::int64_t steps, std::int64_t tiles, int parts, Line* to)
      : from_(from), rows_(tiles * kTileRows), parts_(parts), at_(to), count_(steps * rows_ / kRows) {}

  bool is_done() const { return done_ == count_; }
  std::int64_t count() const { return count_; }  // of steps
  void step();

 private:
  static constexpr std::int64_t kRows = 4;  // of a step

  const float* from_ = nullptr;
  std::int64_t rows_ = 0;
  int parts_ = 1;
  Line* at_ = nullptr;
  std::int64_t row_ = 0;
  std::int64_t count_ = 0;
  std::int64_t done_ = 0;
};

}  // namespace deeper::backend::amx
