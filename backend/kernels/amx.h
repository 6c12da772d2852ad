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

// Direct convolution in NHWC on the tiles of AMX, which multiply int8: numbers are split into three digits and products
// of digits summed in int32, eight for the accuracy of fp32 (amx_tiles.h). A thread splits the input of a chunk of
// pixels, with its padding, into L2, where every tap of the window reads it as lines side by side: strides become
// phases, and one row's right padding is the next row's left one. Source, result and residual may be channel slices.
namespace deeper::backend::amx {

inline constexpr std::string_view kName = "amx";

bool applies(const ConvShape& shape, const Target& target);

struct Tuning {
  Isa isa = Isa::amx;
  int levels = 4;           // of products of digits: 4, or 3 of less accuracy
  std::int64_t pixels = 0;  // most of a chunk, those between the rows of an image included; a multiple of 16
  std::int64_t blocks = 0;  // of 64 input channels, most that are split and summed before the next ones
  bool operator==(const Tuning&) const = default;
};
Tuning choose(const ConvShape& shape, const Target& target, Accuracy accuracy);
std::vector<std::int64_t> to_numbers(const Tuning& tuning);
Tuning tuning_from(std::span<const std::int64_t> numbers);
// "INT8x8 pixels 64 blocks 20": products of digits, pixels of a chunk, blocks of inputs.
std::string describe(const Tuning& tuning);

// weights [M, C, kh, kw] to int8 [group of blocks][16 output channels][block][kh][kw][digit][four inputs]
// [output channel][input of the four], the last being the bits of a float, and then the scales of the output channels.
std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights);
std::int64_t weights_bytes(const ConvShape& shape);
std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads);

// Time on target.threads cores that have to fetch the weights from memory, in nanoseconds.
double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target);

// A row of the kernel table: operands x, packed weights, [bias], [residual]; Step::tuning as to_numbers gives it.
runtime::Executable prepare(const runtime::Step& step, int threads);

}  // namespace deeper::backend::amx
