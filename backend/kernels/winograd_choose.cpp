#include <algorithm>
#include <utility>

#include "backend/kernels/product.h"
#include "backend/kernels/rounding.h"
#include "backend/kernels/winograd.h"
#include "backend/kernels/winograd_channels.h"
#include "backend/kernels/winograd_phases.h"

// The cost model, and the choices made by it.
namespace deeper::backend::winograd {
namespace {

constexpr std::int64_t kFloat = sizeof(float);

std::int64_t most_frequencies(const Tiling& tiling) {
  std::int64_t most = 0;
  for (const TileGroup& g : tile_groups(tiling)) most = std::max(most, g.frequencies());
  return most;
}

// Block sizes for a tiling: three eighths of L2 for the transformed input, a quarter for the products; as many groups
// of channels as `sharers` members can share evenly.
Tuning blocked(const ConvShape& shape, const Tiling& tiling, const Target& target, std::int64_t sharers) {
  constexpr std::int64_t kFewest = 16;  // lest fetching the weights take longer than the products
  constexpr std::int64_t kMost = 48;
  const std::int64_t frequencies = most_frequencies(tiling);
  std::int64_t tiles = target.l2_bytes * 3 / 8 / (frequencies * shape.in_channels * kFloat);
  tiles = std::clamp(tiles / 4 * 4, kFewest, kMost);
  std::int64_t all = 0;
  for (const TileGroup& g : tile_groups(tiling)) all = std::max(all, g.tiles() * shape.batch);
  const std::int64_t lanes = product_kernels(target.isa).lanes;
  const std::int64_t slice = product_slices(shape.out_channels, shape.in_channels, target.isa).front();
  const std::int64_t fewest_channels = std::max<std::int64_t>(slice, 32);
  // Equal blocks.
  const std::int64_t blocks = (all + tiles - 1) / tiles;
  tiles = (all + blocks - 1) / blocks;
  std::int64_t channels = target.l2_bytes / 4 / (frequencies * tiles * kFloat);
  channels = std::clamp(channels / slice * slice, fewest_channels, std::max<std::int64_t>(fewest_channels, 192));
  std::int64_t groups = (shape.out_channels + channels - 1) / channels;
  if (groups > 1) groups = (groups + sharers - 1) / sharers * sharers;
  channels = ((shape.out_channels + groups - 1) / groups + lanes - 1) / lanes * lanes;
  return {.isa = target.isa, .tiling = tiling, .tiles = tiles, .channels = channels};
}

// Time of the member that has most to do.
double member_ns(const ConvShape& given, const Channels& division, const Tuning& tuning, const Split& split,
                 const Costs& costs) {
  const Costs::Winograd& own = costs.winograd;
  const ConvShape shape = without_stride(given);
  const auto lanes = static_cast<double>(product_kernels(tuning.isa).lanes);
  const auto groups = static_cast<std::int64_t>(division.groups.size());
  const double part = static_cast<double>(ceil_div(groups, split.column_parts)) / static_cast<double>(groups);
  const double outputs = static_cast<double>(shape.out_channels) * part;
  const double bytes_per_ns = costs.weights_bytes_per_ns(own.memory_bytes_per_ns, split.row_parts, split.column_parts);
  double ns = 0;
  for (const TileGroup& g : tile_groups(tuning.tiling)) {
    const std::int64_t tiles = ceil_div(g.tiles() * shape.batch, split.row_parts);
    const std::int64_t count = ceil_div(tiles, tuning.tiles);
    const auto frequencies = static_cast<double>(g.frequencies());
    const double depth = static_cast<double>(depth_of(given, g)) / frequencies;
    std::int64_t rows = 0;
    double products = 0;
    for (const Slice& slice : division.slices) {
      const double of_block = product_cycles(slice.rows, ceil_div(tiles, count), 1, tuning.isa, costs) * depth;
      products += static_cast<double>(count) * (own.beyond_products * of_block + own.call_cycles) +
                  own.sum_cycles * static_cast<double>(tiles * slice.rows) / lanes;
      rows += slice.rows;
    }
    const std::size_t axes = g.row_y != 0 && g.row_x != 0 ? 1 : 0;
    const double transforms =
        static_cast<double>(tiles) / lanes *
        (own.input_cycles[axes] * static_cast<double>(shape.in_channels) + own.output_cycles[axes] * outputs);
    const double cycles = frequencies * (products * part + transforms);
    const double weights = frequencies * depth * static_cast<double>(rows * kFloat) * part;
    const double fetch = weights * (1 / bytes_per_ns + static_cast<double>(count - 1) / costs.again_bytes_per_ns);
    ns += costs.overlapped(cycles / costs.gigahertz + own.exposed_fetch * fetch, fetch);
  }
  return ns;
}

}  // namespace

TeamSplit choose_split(const ConvShape& given, const Tuning& tuning, std::int64_t threads, const Costs& costs) {
  const ConvShape shape = without_stride(given);
  const Channels channels = divide_channels(shape, tuning.isa, tuning.channels);
  const auto groups = static_cast<std::int64_t>(channels.groups.size());
  return fastest_split(shape, threads, groups, costs.others_bytes_per_ns,
                       [&](const Split& split) { return member_ns(given, channels, tuning, split, costs); });
}

double estimate_ns(const ConvShape& given, const Tuning& tuning, const Target& target) {
  return choose_split(given, tuning, target.threads, costs_of(target.machine, target.isa)).ns;
}

std::vector<Tuning> choose(const ConvShape& shape, const Target& target, Accuracy accuracy) {
  constexpr std::size_t kKept = 5;
  if (!applies(shape, target)) return {};
  std::vector<std::pair<double, Tuning>> ways;
  const std::int64_t fewest = costs_of(target.machine, target.isa).winograd.fewest_pixels_by_phases;
  const std::int64_t pixels = shape.batch * shape.output[0] * shape.output[1];
  if (has_phases(shape) && !copies_phases(shape) && pixels < fewest) return {};
  const ConvShape flat = without_stride(shape);
  for (const Tiling& tiling : tilings(flat, accuracy)) {
    const Tuning tuning = blocked(flat, tiling, target, 1);
    ways.emplace_back(estimate_ns(shape, tuning, target), tuning);
    const Tuning shared = blocked(flat, tiling, target, target.threads);
    if (shared != tuning) ways.emplace_back(estimate_ns(shape, shared, target), shared);
  }
  std::stable_sort(ways.begin(), ways.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Tuning> result;
  for (const auto& [estimate, tuning] : ways) {
    if (result.size() < kKept) result.push_back(tuning);
  }
  return result;
}

}  // namespace deeper::backend::winograd
