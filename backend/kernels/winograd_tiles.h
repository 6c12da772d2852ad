#pragma once

#include <cstdint>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/cooktoom.h"

// How Cook-Toom tiles cover an image.
namespace deeper::backend::winograd {

// An axis: `main_count` tiles of one row of the Cook-Toom table, then `edge_count` of another; the last may overhang.
struct AxisTiling {
  int main_row = 0;
  std::int64_t main_count = 0;
  int edge_row = 0;
  std::int64_t edge_count = 0;
  bool operator==(const AxisTiling&) const = default;
};

struct Tiling {
  AxisTiling y;
  AxisTiling x;
  bool operator==(const Tiling&) const = default;
};

// Tiles of one kind: a rectangle of them.
struct TileGroup {
  int row_y = 0;  // of the Cook-Toom table
  int row_x = 0;
  std::int64_t first_y = 0;  // first output of the first tile
  std::int64_t first_x = 0;
  std::int64_t count_y = 0;
  std::int64_t count_x = 0;

  const CookToom& y() const { return kCookToom[row_y]; }
  const CookToom& x() const { return kCookToom[row_x]; }
  std::int64_t frequencies() const { return std::int64_t{y().points()} * x().points(); }
  std::int64_t tiles() const { return count_y * count_x; }
};

// Up to four, the largest first.
std::vector<TileGroup> tile_groups(const Tiling& tiling);

// All ways worth considering to cover the shape's output at this accuracy. Of the same tile sizes along an axis only
// the counts with the fewest multiplications.
std::vector<Tiling> tilings(const ConvShape& shape, Accuracy accuracy);

}  // namespace deeper::backend::winograd
