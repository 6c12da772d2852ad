#include <algorithm>

#include "backend/kernels/winograd.h"
#include "backend/kernels/winograd_channels.h"
#include "backend/kernels/winograd_phases.h"
#include "ir/error.h"

// The layout of the packed weights.
namespace deeper::backend::winograd {
namespace {

// Where an input channel's weights are among those of a frequency, or -1.
std::int64_t position(const Frequency& frequency, std::int64_t input) {
  std::int64_t before = 0;
  for (const Range& range : frequency.inputs) {
    if (input >= range.first && input < range.last) return before + input - range.first;
    before += range.size();
  }
  return -1;
}

// One slice of a group of output channels: [frequency][slice of the group][input][output within the slice].
void pack_slice(const ConvShape& shape, const Transform& y, const Transform& x, const Slice& slice,
                const ChannelGroup& group, std::span<const Frequency> frequencies, std::span<const float> weights,
                float* to) {
  const std::int64_t window = shape.kernel[0] * shape.kernel[1];
  const std::int64_t channels = std::min(slice.rows, shape.out_channels - slice.channel);
  std::vector<double> taps(window * slice.rows);
  std::vector<double> transformed(frequencies.size() * slice.rows);
  for (std::int64_t input = 0; input < shape.in_channels; ++input) {
    for (std::int64_t row = 0; row < channels; ++row) {
      const float* from = weights.data() + ((slice.channel + row) * shape.in_channels + input) * window;
      for (std::int64_t t = 0; t < window; ++t) taps[t * slice.rows + row] = static_cast<double>(from[t]);
    }
    transform_weights(y, x, slice.rows, taps.data(), transformed.data());
    const double* from = transformed.data();
    for (const Frequency& frequency : frequencies) {
      const std::int64_t at = position(frequency, input);
      if (at >= 0) {
        float* panel = to + frequency.before * group.width + (slice.channel - group.channel) * frequency.depth;
        std::transform(from, from + slice.rows, panel + at * slice.rows,
                       [](double value) { return static_cast<float>(value); });
      }
      from += slice.rows;
    }
  }
}

}  // namespace

std::vector<float> pack_weights(const ConvShape& given, const Tuning& tuning, std::span<const float> weights) {
  DEEPER_CHECK(static_cast<std::int64_t>(weights.size()) ==
                   given.out_channels * given.in_channels * given.kernel[0] * given.kernel[1],
               "packing weights");
  const ConvShape shape = without_stride(given);
  const std::vector<float> of_phases = has_phases(given) ? phase_weights(given, weights) : std::vector<float>();
  const std::span<const float> taps = has_phases(given) ? of_phases : weights;
  const Channels channels = divide_channels(shape, tuning.isa, tuning.channels);
  std::vector<float> packed(static_cast<std::size_t>(weights_bytes(given, tuning)) / sizeof(float));
  float* to = packed.data();
  for (const TileGroup& tiles : tile_groups(tuning.tiling)) {
    const Transform y = make_transform(tiles.y());
    const Transform x = make_transform(tiles.x());
    const std::vector<Frequency> frequencies = frequencies_of(given, tiles);
    for (const ChannelGroup& group : channels.groups) {
      for (std::int64_t i = group.slices.first; i < group.slices.last; ++i) {
        pack_slice(shape, y, x, channels.slices[i], group, frequencies, taps, to);
      }
      to += depth_of(given, tiles) * group.width;
    }
  }
  return packed;
}

std::int64_t weights_bytes(const ConvShape& given, const Tuning& tuning) {
  std::int64_t depth = 0;
  for (const TileGroup& g : tile_groups(tuning.tiling)) depth += depth_of(given, g);
  return depth * divide_channels(without_stride(given), tuning.isa, tuning.channels).padded *
         static_cast<std::int64_t>(sizeof(float));
}

}  // namespace deeper::backend::winograd
