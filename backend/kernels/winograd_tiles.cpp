#include "backend/kernels/winograd_tiles.h"

#include <algorithm>
#include <optional>

namespace deeper::backend::winograd {
namespace {

std::vector<int> rows_with_taps(std::int64_t taps) {
  std::vector<int> rows;
  for (int row = 0; row < kCookToomCount; ++row) {
    if (kCookToom[row].taps == taps) rows.push_back(row);
  }
  return rows;
}

// The counts of tiles that cover `extent` with the fewest points; nothing where one of the two sizes is not needed.
std::optional<AxisTiling> mixed(std::int64_t extent, int main_row, int edge_row) {
  const CookToom& main = kCookToom[main_row];
  const CookToom& edge = kCookToom[edge_row];
  std::optional<AxisTiling> best;
  std::int64_t best_points = (extent + main.outputs - 1) / main.outputs * main.points();
  for (std::int64_t count = 1; count * main.outputs < extent; ++count) {
    const std::int64_t rest = (extent - count * main.outputs + edge.outputs - 1) / edge.outputs;
    const std::int64_t points = count * main.points() + rest * edge.points();
    if (points < best_points || (best && points == best_points)) {
      best_points = points;
      best = AxisTiling{.main_row = main_row, .main_count = count, .edge_row = edge_row, .edge_count = rest};
    }
  }
  return best;
}

std::vector<AxisTiling> axis_tilings(std::int64_t extent, std::int64_t taps) {
  std::vector<AxisTiling> result;
  for (const int main : rows_with_taps(taps)) {
    const std::int64_t outputs = kCookToom[main].outputs;
    // A tile that overhangs by half is a smaller one's work.
    if (outputs > 2 && outputs >= 2 * extent) continue;
    result.push_back(
        {.main_row = main, .main_count = (extent + outputs - 1) / outputs, .edge_row = 0, .edge_count = 0});
    for (const int edge : rows_with_taps(taps)) {
      if (kCookToom[edge].outputs >= outputs) continue;
      if (const auto tiling = mixed(extent, main, edge)) result.push_back(*tiling);
    }
  }
  return result;
}

}  // namespace

std::vector<TileGroup> tile_groups(const Tiling& tiling) {
  struct Part {
    int row;
    std::int64_t first;
    std::int64_t count;
  };
  const auto parts = [](const AxisTiling& axis) {
    std::vector<Part> result{{axis.main_row, 0, axis.main_count}};
    if (axis.edge_count > 0) {
      result.push_back({axis.edge_row, axis.main_count * kCookToom[axis.main_row].outputs, axis.edge_count});
    }
    return result;
  };
  std::vector<TileGroup> groups;
  for (const Part& y : parts(tiling.y)) {
    for (const Part& x : parts(tiling.x)) {
      groups.push_back({.row_y = y.row,
                        .row_x = x.row,
                        .first_y = y.first,
                        .first_x = x.first,
                        .count_y = y.count,
                        .count_x = x.count});
    }
  }
  return groups;
}

std::vector<Tiling> tilings(const ConvShape& shape, Accuracy accuracy) {
  std::vector<Tiling> result;
  for (const AxisTiling& y : axis_tilings(shape.output[0], shape.kernel[0])) {
    for (const AxisTiling& x : axis_tilings(shape.output[1], shape.kernel[1])) {
      if (y.main_row == 0 && x.main_row == 0) continue;
      // An edge's smaller tiles are more accurate than the main ones.
      if (is_accurate(kCookToom[y.main_row], kCookToom[x.main_row], accuracy)) result.push_back({.y = y, .x = x});
    }
  }
  return result;
}

}  // namespace deeper::backend::winograd
