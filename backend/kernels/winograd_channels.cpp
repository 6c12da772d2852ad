#include "backend/kernels/winograd_channels.h"

#include <algorithm>

#include "backend/kernels/product.h"

namespace deeper::backend::winograd {

Channels divide_channels(const ConvShape& shape, Isa isa, std::int64_t most) {
  const std::int64_t lanes = product_kernels(isa).lanes;
  const std::int64_t vectors = (shape.out_channels + lanes - 1) / lanes;
  const std::int64_t vectors_of_group = std::max<std::int64_t>(1, most / lanes);
  const std::int64_t count = (vectors + vectors_of_group - 1) / vectors_of_group;
  Channels channels;
  channels.padded = vectors * lanes;
  for (std::int64_t i = 0; i < count; ++i) {
    const Range part = share(vectors, i, count);
    const auto first = static_cast<std::int64_t>(channels.slices.size());
    ChannelGroup group{.channel = part.first * lanes, .width = part.size() * lanes, .slices = {first, first}};
    std::int64_t channel = group.channel;
    for (const std::int64_t rows : product_slices(group.width, shape.in_channels, isa)) {
      channels.slices.push_back({.channel = channel, .rows = rows});
      channel += rows;
    }
    group.slices.last = static_cast<std::int64_t>(channels.slices.size());
    channels.groups.push_back(group);
  }
  return channels;
}

}  // namespace deeper::backend::winograd
