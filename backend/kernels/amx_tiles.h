#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "backend/kernels/epilogue.h"

// Products of fp32 matrices on the tiles of AMX, which multiply int8 and sum in int32, exactly. A number becomes a
// fixed-point one of three digits, x = largest * (d0 * 2^16 + d1 * 2^8 + d2) / kFull with digits from -128 to 127,
// where `largest` is the largest magnitude of the numbers that share a sum: of a pixel, or of all that the pixels of a
// chunk read; of the weights of an output channel. Of the nine products of digits those of equal weight are summed in
// one tile, a level: level l has those of digits i and j with i + j = l. Levels 0 to 3 hold all but the last of the
// nine. Inputs that are not negative, such as what follows a Relu, need no sign: they gain a bit, with which levels 0
// to 2, six products, are as near as the other eight are without. (Ootomo, Ozaki, Yokota: DGEMM on Integer Matrix
// Multiplication Unit, 2024.)
namespace deeper::backend::amx {

inline constexpr std::int64_t kTileRows = 16;     // pixels of a tile; output channels of a tile
inline constexpr std::int64_t kBlockInputs = 64;  // input channels of a line
inline constexpr std::int64_t kDigits = 3;
inline constexpr int kMostLevels = 4;
// What the largest magnitude becomes: no digit overflows. Twice as much without signs.
inline constexpr std::int32_t kFull = 0x7F0000;
// Blocks of inputs under a tap that are summed before the sums are taken to fp32: more could overflow level 2.
inline constexpr std::int64_t kMostSteps = (std::int64_t{1} << 31) / ((256 + 2 * 128) * 128 * kBlockInputs) - 1;

// A row of a tile: a digit of 64 input channels of a pixel; of the weights, of four input channels for 16 output
// channels. Channels 16 apart are neighbours.
struct alignas(64) Line {
  std::array<std::int8_t, kBlockInputs> values;
};

// 64 input channels of a pixel. Its digits are side by side: the rows of three tiles then take turns in memory, which
// spreads them over a cache.
struct Digits {
  std::array<Line, kDigits> of;
};

// The sums of a level of a tile of pixels and a tile of output channels.
struct alignas(64) Sums {
  std::array<std::array<std::int32_t, kTileRows>, kTileRows> of;  // [pixel][output channel]
};

// The calling thread's tiles are in use while one lives.
class Tiles {
 public:
  Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles();
};

// Some channels of pixels `stride` floats apart.
struct Pixels {
  const float* from = nullptr;
  std::int64_t stride = 0;
  std::int64_t count = 0;
  std::int64_t channels = 0;
};

// What has been found among numbers.
struct Found {
  float largest = 0;  // magnitude; not a number where one is not finite
  bool is_signed = false;
};
Found find(const Pixels& pixels, Found others);

// What is scaled alike.
struct Scale {
  explicit Scale(const Found& found);
  float factor;  // of numbers
  float unit;    // of sums, besides that of the weights
  bool is_signed;
};

// Splits pixel i to to[i], its next 64 channels to to[block_stride + i] and so on, with zeros for missing channels.
void split(const Pixels& pixels, const Scale& scale, Digits* to, std::int64_t block_stride);

// Pixels of a tile that each have a scale of their own.
struct ScaledPixels {
  std::array<const float*, kTileRows> from{};  // null for zeros
  std::int64_t count = 0;
  std::int64_t channels = 0;
};
// Splits them likewise, and writes their units. Gives whether they have signs: all have where one has.
bool split(const ScaledPixels& pixels, Digits* to, std::int64_t block_stride, float* units);

// sums[level] of a tile of pixels and a tile of output channels.
struct TileProduct {
  const Digits* a = nullptr;           // the first pixel's first block of inputs
  std::int64_t block_stride = 0;       // between blocks of inputs
  const std::int64_t* taps = nullptr;  // from a pixel to what each tap reads
  std::int64_t tap_count = 1;
  std::int64_t blocks = 0;
  const Line* b = nullptr;     // [block][tap][digit][row]
  const Line* next = nullptr;  // fetched meanwhile, so many lines with every tap of a block
  std::int64_t next_lines = 0;
};
// Products of digits that a product of numbers takes.
constexpr std::int64_t products_of(int levels) { return levels == kMostLevels ? 8 : 6; }

// Of 3 or 4 levels; of pixels without signs 3.
void multiply(const TileProduct& product, bool is_signed, int levels, Sums* sums);

// Pixels of a tile that are side by side in the result.
struct Run {
  std::int64_t first = 0;  // of the tile
  std::int64_t count = 0;
  std::int64_t result = 0;    // where the first one is
  std::int64_t residual = 0;  // the same
};

// What follows the sums: value = sums * units[pixel] * weight_units[channel] + kept[pixel][channel]; then, where
// there is a result, result = activation(value + bias + residual), otherwise kept = value.
struct Finish {
  Epilogue epilogue;
  int levels = kMostLevels;
  const float* units = nullptr;
  const float* weight_units = nullptr;
  const float* bias = nullptr;      // may be null
  std::int64_t channels = 0;        // at most those of a tile
  float* kept = nullptr;            // may be null where there is a result
  bool adds = false;                // what is kept
  const float* residual = nullptr;  // may be null
  std::int64_t residual_stride = 0;
  float* result = nullptr;  // may be null
  std::int64_t result_stride = 0;
};
void finish(const Finish& finish, std::span<const Run> runs, const Sums* sums);

}  // namespace deeper::backend::amx
