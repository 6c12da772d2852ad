#pragma once

#include <array>
#include <cstdint>

#include "backend/kernels/epilogue.h"

// Products of fp32 matrices on the tiles of AMX. A number is the sum of bf16 parts, each taken from the remainder of
// those before: two hold 16 bits of its significand, three all 24. Of the products of parts those are taken that are
// not below the last bit kept: three of two parts (BF16x2), six of three (BF16x3); the sums are fp32 throughout.
// (Henry, Tang, Heinecke: Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations,
// 2019.)
namespace deeper::backend::amx {

inline constexpr std::int64_t kTileRows = 16;     // pixels of a tile; output channels of a tile
inline constexpr std::int64_t kBlockInputs = 32;  // input channels of a line

// A row of a tile: a part of 32 input channels of a pixel; of the weights, of a pair of input channels for 16 output
// channels. Channels 16 apart are pairs.
struct alignas(64) Line {
  std::array<std::uint16_t, kBlockInputs> values;  // bf16
};

// The calling thread's tiles are in use while one lives.
class Tiles {
 public:
  Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles();
};

// Splits up to 32 channels of `pixels` pixels, `stride` floats apart, into `parts` parts: part p of pixel i goes to
// to[p * part_lines + i], with zeros for missing channels. Infinities become NaN.
void split(const float* from, std::int64_t stride, std::int64_t pixels, std::int64_t channels, int parts, Line* to,
           std::int64_t part_lines);

// sums[i * stride + j] of one or two tiles of pixels i and of output channels j.
struct TileProduct {
  const Line* a = nullptr;  // first part of the first pixel's first block of inputs
  std::int64_t part_lines = 0;
  std::int64_t block_lines = 0;        // between blocks of inputs
  const std::int64_t* taps = nullptr;  // lines from a pixel to what each tap reads
  std::int64_t tap_count = 1;
  std::int64_t blocks = 0;
  const Line* b = nullptr;  // [block][tap][part][tile of output channels][row]
  float* sums = nullptr;
  std::int64_t stride = 0;
  bool adds = false;  // to what `sums` hold
  // Called with every product of parts, blocks * tap_count * products_of(parts) times: what vectors and loads do
  // while the tiles multiply.
  void (*meanwhile)(void* state) = nullptr;
  void* state = nullptr;
};
// Products of parts that a product of numbers takes.
constexpr std::int64_t products_of(int parts) { return parts == 3 ? 6 : 3; }

using Multiply = void (*)(const TileProduct& product);
Multiply multiply(int parts, std::int64_t pixel_tiles, std::int64_t channel_tiles);

// What follows the sums: result = activation(sums + bias + residual); bias and residual may be null.
struct Finish {
  Epilogue epilogue;
  std::int64_t sums_stride = 0;
  const float* bias = nullptr;
  std::int64_t channels = 0;
  std::int64_t residual_stride = 0;
  std::int64_t result_stride = 0;
};
void finish(const Finish& finish, std::int64_t pixels, const float* sums, const float* residual, float* result);

}  // namespace deeper::backend::amx
