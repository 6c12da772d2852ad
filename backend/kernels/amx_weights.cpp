#include "backend/kernels/amx_weights.h"

#include <bit>
#include <span>

#include "ir/error.h"

namespace deeper::backend::amx {
namespace {

// To the nearest bf16, ties to even.
std::uint16_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

float to_float(std::uint16_t value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16U); }

// The parts of two numbers; those of the first in the low bits of each to[part * stride].
void pack_pair(float first, float second, int parts, std::int64_t stride, float* to) {
  for (int part = 0; part < parts; ++part) {
    const std::uint16_t low = rounded(first);
    const std::uint16_t high = rounded(second);
    to[part * stride] = std::bit_cast<float>(static_cast<std::uint32_t>(high) << 16U | low);
    first -= to_float(low);
    second -= to_float(high);
  }
}

// Some weights: that of input i for output channel c is at first[i * input_stride + c * channel_stride].
struct Part {
  const float* first;
  std::int64_t inputs;
  std::int64_t input_stride;
  std::int64_t channels;
  std::int64_t channel_stride;
};

// Those of up to 32 inputs for up to 32 output channels, zeros for missing ones. Gives the end of what it writes.
float* pack_part(const Part& part, const Tuning& tuning, float* to) {
  const auto weight = [&](std::int64_t input, std::int64_t channel) {
    const bool exists = input < part.inputs && channel < part.channels;
    return exists ? part.first[input * part.input_stride + channel * part.channel_stride] : 0.0F;
  };
  const std::int64_t rows = round_up(part.channels, kTileRows);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t pair = row % kTileRows;
    for (std::int64_t i = 0; i < kTileRows; ++i) {
      const std::int64_t channel = row - pair + i;
      if (tuning.splits_weights) {
        to[row * kPlainRow + i] = weight(pair, channel);
        to[row * kPlainRow + kTileRows + i] = weight(pair + kTileRows, channel);
      } else {
        pack_pair(weight(pair, channel), weight(pair + kTileRows, channel), tuning.parts, rows * kTileRows,
                  to + row * kTileRows + i);
      }
    }
  }
  return to + rows * row_floats(tuning);
}

}  // namespace

std::int64_t row_floats(const Tuning& tuning) { return tuning.splits_weights ? kPlainRow : tuning.parts * kTileRows; }

std::vector<Range> groups_of(const ConvShape& shape, std::int64_t most) {
  const std::int64_t blocks = blocks_of(shape);
  const std::int64_t count = ceil_div(blocks, most);
  std::vector<Range> groups;
  for (std::int64_t i = 0; i < count; ++i) groups.push_back(share(blocks, i, count));
  return groups;
}

void WeightSplitter::step() {
  constexpr std::int64_t kAhead = 2048;  // floats, fetched while these are split
  for (std::int64_t i = 0; i < kRows * kPlainRow; i += kTileRows) __builtin_prefetch(from_ + kAhead + i, 0, 2);
  split(from_, kPlainRow, kRows, kBlockInputs, parts_, at_, rows_);
  from_ += kRows * kPlainRow;
  at_ += kRows;
  row_ += kRows;
  if (row_ == rows_) {
    at_ += (parts_ - 1) * rows_;
    row_ = 0;
  }
  ++done_;
}

std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights) {
  const std::int64_t taps = window(shape);
  DEEPER_CHECK(static_cast<std::int64_t>(weights.size()) == shape.out_channels * shape.in_channels * taps, "packing");
  std::vector<float> packed(static_cast<std::size_t>(weights_bytes(shape, tuning)) / sizeof(float));
  float* to = packed.data();
  for (const Range& group : groups_of(shape, tuning.blocks)) {
    for (std::int64_t stripe = 0; stripe < stripes_of(shape); ++stripe) {
      for (std::int64_t block = group.first; block < group.last; ++block) {
        const std::int64_t output = stripe * kStripe;
        const std::int64_t input = block * kBlockInputs;
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          to = pack_part({.first = weights.data() + (output * shape.in_channels + input) * taps + tap,
                          .inputs = std::min(kBlockInputs, shape.in_channels - input),
                          .input_stride = taps,
                          .channels = std::min(kStripe, shape.out_channels - output),
                          .channel_stride = shape.in_channels * taps},
                         tuning, to);
        }
      }
    }
  }
  return packed;
}

std::int64_t weights_bytes(const ConvShape& shape, const Tuning& tuning) {
  return ceil_div(shape.out_channels, kTileRows) * weight_rows(shape, blocks_of(shape)) * row_floats(tuning) *
         static_cast<std::int64_t>(sizeof(float));
}

}  // namespace deeper::backend::amx
