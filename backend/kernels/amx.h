#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/cooktoom.h"
#include "backend/target.h"
#include "runtime/kernel.h"

// Direct convolution in NHWC on the tiles of AMX, which multiply bf16: numbers are split into bf16 parts and products
// of parts summed in fp32, six for the accuracy of fp32 (amx_tiles.h). A thread splits the input of a chunk of pixels,
// with its padding, into L2, where every tap of the window reads it as lines side by side: strides become phases, and
// one row's right padding is the next row's left one. Source, result and residual may be channel slices.
namespace deeper::backend::amx {

inline constexpr std::string_view kName = "amx";

bool applies(const ConvShape& shape, const Target& target);

struct Tuning {
  Isa isa = Isa::amx;
  int parts = 3;                // of a number
  std::int64_t pixels = 0;      // most of a chunk, those between the rows of an image included; a multiple of 32
  std::int64_t blocks = 0;      // of 32 input channels, most that are split and summed before the next ones
  bool splits_weights = false;  // on the way to the tiles: they take 4 bytes in memory instead of 2 for each part
  bool operator==(const Tuning&) const = default;
};
// Ways to do it, the best by estimate first.
std::vector<Tuning> choose(const ConvShape& shape, const Target& target, Accuracy accuracy);
std::vector<std::int64_t> to_numbers(const Tuning& tuning);
Tuning tuning_from(std::span<const std::int64_t> numbers);
// "BF16x3 pixels 64 blocks 20": parts of a number, pixels of a chunk, blocks of inputs; "split" where weights are split
// on the way.
std::string describe(const Tuning& tuning);

// weights [M, C, kh, kw] to [group of blocks][32 output channels][block][kh][kw], and within that to bf16 [part]
// [16 output channels][pair of inputs][output channel][input of the pair], the two last being the bits of a float, or,
// where they are split on the way, to [16 output channels][pair of inputs][input of the pair][output channel].
std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights);
std::int64_t weights_bytes(const ConvShape& shape, const Tuning& tuning);
std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads);

// Time on target.threads cores that have to fetch the weights from memory, in nanoseconds.
double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target);

// A row of the kernel table: operands x, packed weights, [bias], [residual]; Step::tuning as to_numbers gives it.
runtime::Executable prepare(const runtime::Step& step, int threads);

}  // namespace deeper::backend::amx
