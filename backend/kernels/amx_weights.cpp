#include "backend/kernels/amx_weights.h"

#include <bit>
#include <cmath>
#include <span>

#include "ir/error.h"

namespace deeper::backend::amx {
namespace {

constexpr std::int64_t kInputsOfRow = kBlockInputs / kTileRows;  // for each output channel

// The weights of a tile of output channels, 0 beyond the last channel of either side.
class Weights {
 public:
  Weights(const ConvShape& shape, std::span<const float> weights, std::int64_t tile)
      : weights_(weights.data() + tile * kTileRows * shape.in_channels * window(shape)),
        taps_(window(shape)),
        inputs_(shape.in_channels),
        outputs_(std::min(kTileRows, shape.out_channels - tile * kTileRows)) {
    for (std::int64_t output = 0; output < outputs_; ++output) {
      const std::span<const float> of_output(weights_ + output * inputs_ * taps_,
                                             static_cast<std::size_t>(inputs_ * taps_));
      for (const float weight : of_output) {
        // What is not a number stays the largest.
        largest_[output] = std::isfinite(weight) ? std::max(largest_[output], std::abs(weight)) : std::nanf("");
      }
    }
  }

  // Not a number where a weight is not finite.
  float largest(std::int64_t output) const { return largest_[output]; }

  // As a fixed-point number.
  std::int32_t at(std::int64_t output, std::int64_t input, std::int64_t tap) const {
    if (output >= outputs_ || input >= inputs_) return 0;
    const double weight = weights_[(output * inputs_ + input) * taps_ + tap];
    return largest_[output] > 0 ? static_cast<std::int32_t>(std::lrint(weight / largest_[output] * kFull)) : 0;
  }

 private:
  const float* weights_;
  std::int64_t taps_;
  std::int64_t inputs_;
  std::int64_t outputs_;
  std::array<float, kTileRows> largest_{};
};

// The digits of a block of inputs under a tap. Gives the end of what it writes.
float* pack_block(const Weights& weights, std::int64_t block, std::int64_t tap, float* to) {
  for (std::int64_t row = 0; row < kTileRows; ++row) {
    for (std::int64_t output = 0; output < kTileRows; ++output) {
      std::array<std::uint32_t, kDigits> digits{};
      for (std::int64_t i = 0; i < kInputsOfRow; ++i) {
        const std::int32_t number = weights.at(output, block * kBlockInputs + i * kTileRows + row, tap);
        const auto above = static_cast<std::uint32_t>(number + 0x808080);
        for (std::int64_t digit = 0; digit < kDigits; ++digit) {
          const std::uint32_t byte = (above >> (16 - 8 * digit) & 0xFFU) ^ 0x80U;
          digits[digit] |= byte << (8 * i);
        }
      }
      for (std::int64_t digit = 0; digit < kDigits; ++digit) {
        to[(digit * kTileRows + row) * kLineFloats + output] = std::bit_cast<float>(digits[digit]);
      }
    }
  }
  return to + kDigits * kTileRows * kLineFloats;
}

}  // namespace

std::vector<Range> groups_of(const ConvShape& shape, std::int64_t most) {
  const std::int64_t blocks = blocks_of(shape);
  const std::int64_t count = ceil_div(blocks, most);
  std::vector<Range> groups;
  for (std::int64_t i = 0; i < count; ++i) groups.push_back(share(blocks, i, count));
  return groups;
}

std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights) {
  const std::int64_t taps = window(shape);
  DEEPER_CHECK(static_cast<std::int64_t>(weights.size()) == shape.out_channels * shape.in_channels * taps, "packing");
  std::vector<float> packed(static_cast<std::size_t>(weights_bytes(shape)) / sizeof(float));
  std::vector<Weights> tiles;
  for (std::int64_t tile = 0; tile < channel_tiles(shape); ++tile) tiles.emplace_back(shape, weights, tile);
  float* to = packed.data();
  for (const Range& group : groups_of(shape, tuning.blocks)) {
    for (const Weights& tile : tiles) {
      for (std::int64_t block = group.first; block < group.last; ++block) {
        for (std::int64_t tap = 0; tap < taps; ++tap) to = pack_block(tile, block, tap, to);
      }
    }
  }
  // A sum in units of level 0 is of 2^32 / kFull^2 of both largest magnitudes.
  constexpr float kUnit = 0x1p32F / kFull / kFull;
  for (const Weights& tile : tiles) {
    for (std::int64_t output = 0; output < kTileRows; ++output) *to++ = tile.largest(output) * kUnit;
  }
  return packed;
}

std::int64_t weights_bytes(const ConvShape& shape) {
  const std::int64_t lines = channel_tiles(shape) * (weight_lines(shape, blocks_of(shape)) + 1);
  return lines * static_cast<std::int64_t>(sizeof(Line));
}

}  // namespace deeper::backend::amx
