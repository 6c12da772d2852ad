#pragma once

#include <cstdint>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/target.h"

// How the output channels are divided for the products.
namespace deeper::backend::winograd {

// Rows of a product's left side: output channels, those beyond the last one being zeros.
struct Slice {
  std::int64_t channel = 0;
  std::int64_t rows = 0;
};

// Output channels whose products are held at once.
struct ChannelGroup {
  std::int64_t channel = 0;
  std::int64_t width = 0;  // with the zeros
  Range slices;
};

struct Channels {
  std::vector<Slice> slices;
  std::vector<ChannelGroup> groups;
  std::int64_t padded = 0;  // all, with the zeros
};

// Groups of at most `most` channels, as even as vectors allow, so that members of a team can share them evenly.
Channels divide_channels(const ConvShape& shape, Isa isa, std::int64_t most);

}  // namespace deeper::backend::winograd
