#include "backend/kernels/winograd.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "backend/kernels/conv_memory.h"
#include "backend/kernels/epilogue.h"
#include "backend/kernels/native_pool.h"
#include "backend/kernels/product.h"
#include "backend/kernels/rounding.h"
#include "backend/kernels/split.h"
#include "backend/kernels/winograd_channels.h"
#include "backend/kernels/winograd_phases.h"
#include "backend/kernels/winograd_transform.h"
#include "ir/error.h"

// Of a block of tiles, V[frequency][tile][input] holds the transformed input and M[frequency][tile][output] the
// products, both in the thread's scratch. M has room for a group of output channels; V serves all groups in turn.
namespace deeper::backend::winograd {
namespace {

constexpr std::int64_t kChunk = 64;  // channels that pass through both axes' transforms at once
constexpr std::int64_t kSkew = 16;   // floats between frequencies, lest they all meet in the same cache sets

struct TileKind {
  TileGroup tiles;
  AxisTransform y;
  AxisTransform x;
  std::vector<Frequency> frequencies;
  std::int64_t depth = 0;         // of all frequencies
  std::int64_t weights = 0;       // offset in the packed weights
  std::int64_t longest_part = 0;  // of a product's depth to be summed at once
};

// Where a tile lies.
struct Place {
  std::int64_t image = 0;
  std::int64_t y = 0;  // first output
  std::int64_t x = 0;
};

// Tiles of a kind.
struct TileBlock {
  std::int64_t kind = 0;
  std::vector<Place> tiles;
  // Where the outputs are pooled: rows of them, which the block has all of, and rows of the pool that are its part's.
  Range rows{};
  Range pooled{};
};

// Sizes of a thread's scratch, in floats.
struct Layout {
  std::int64_t inputs = 0;         // channels of V
  std::int64_t input_stride = 0;   // from frequency to frequency in V
  std::int64_t width = 0;          // channels of M
  std::int64_t output_stride = 0;  // from frequency to frequency in M
  std::int64_t products = 0;       // where M starts
  std::int64_t pass = 0;           // where what lies between the two axes' transforms starts
  std::int64_t discarded = 0;      // where outputs of overhanging tiles go
  std::int64_t band = 0;           // where the rows of phases that a row of tiles reads are
  std::int64_t band_width = 0;     // pixels
  std::int64_t band_rows = 0;
  std::int64_t unpooled = 0;  // where the outputs are that are yet to be pooled
  std::int64_t total = 0;
};

struct State {
  ConvShape shape;
  std::optional<ConvShape> strided;  // what `shape` is the phases of
  bool copies = false;               // them
  Epilogue epilogue;
  Layout layout;
  Split split;
  std::optional<native::RowPool> pool;
  std::int64_t pooled_rows = 0;  // of an image
  ConvAddresses addresses;
  std::vector<TileKind> kinds;
  Channels channels;
  std::vector<std::vector<TileBlock>> parts;  // for each row part of the split
  const ProductKernels* kernels = nullptr;
  std::vector<float> zeros;
};

// Outputs of the largest tile along an axis.
std::int64_t most_outputs(const AxisTiling& axis) {
  const std::int64_t main = kCookToom[axis.main_row].outputs;
  return axis.edge_count > 0 ? std::max<std::int64_t>(main, kCookToom[axis.edge_row].outputs) : main;
}

// Rows of tiles in a block that is pooled.
std::int64_t tile_rows(const Tuning& tuning) {
  return std::max<std::int64_t>(1, tuning.tiles / tuning.tiling.x.main_count);
}

Layout make_layout(const ConvShape& shape, const Tuning& tuning, const Channels& channels, bool pools) {
  std::int64_t frequencies = 0;
  Layout layout;
  for (const TileGroup& g : tile_groups(tuning.tiling)) {
    frequencies = std::max(frequencies, g.frequencies());
    layout.band_rows = std::max<std::int64_t>(layout.band_rows, g.y().points());
    layout.band_width = std::max(layout.band_width, g.first_x + g.count_x * g.x().outputs + g.x().taps - 1);
  }
  for (const ChannelGroup& g : channels.groups) layout.width = std::max(layout.width, round_up(g.width, 16));
  const bool copies = copies_phases(shape);
  layout.inputs = copies ? kPhasePitch : without_stride(shape).in_channels;
  layout.input_stride = round_up(tuning.tiles * layout.inputs, 16) + kSkew;
  layout.output_stride = tuning.tiles * layout.width + kSkew;
  layout.products = frequencies * layout.input_stride;
  layout.pass = layout.products + frequencies * layout.output_stride;
  layout.discarded = layout.pass + frequencies * kChunk;
  layout.band = round_up(layout.discarded + std::max(layout.width, kChunk), 16);
  layout.unpooled = layout.band + (copies ? layout.band_rows * layout.band_width * kPhasePitch : 0);
  layout.total = layout.unpooled;
  if (!pools) return layout;
  const std::int64_t rows = tile_rows(tuning) * most_outputs(tuning.tiling.y);
  layout.total += round_up(rows * shape.output[1] * shape.out_channels, 16);
  return layout;
}

// Large tiles multiply the rounding of their products; summing these in parts keeps it down.
std::int64_t longest_part(const TileGroup& tiles) {
  constexpr double kMuch = 3.0;
  constexpr std::int64_t kShort = 96;
  return nested_error(tiles.y(), tiles.x()) > kMuch ? kShort : std::numeric_limits<std::int64_t>::max();
}

std::shared_ptr<State> make_state(const ConvShape& given, const Tuning& tuning, int threads, bool pools) {
  auto state = std::make_shared<State>();
  const ConvShape shape = without_stride(given);
  state->shape = shape;
  if (has_phases(given)) state->strided = given;
  state->copies = copies_phases(given);
  state->epilogue = make_epilogue(shape.op.activation);
  state->channels = divide_channels(shape, tuning.isa, tuning.channels);
  state->layout = make_layout(given, tuning, state->channels, pools);
  state->split = pools ? Split{.row_parts = threads, .column_parts = 1}
                       : choose_split(given, tuning, threads, costs_of(this_machine(), tuning.isa)).split;
  state->zeros.assign(std::max(shape.in_channels, shape.out_channels), 0.0F);
  state->kernels = &product_kernels(tuning.isa);
  const auto transforms = axis_transforms(tuning.isa);
  std::int64_t weights = 0;
  for (const TileGroup& g : tile_groups(tuning.tiling)) {
    state->kinds.push_back({.tiles = g,
                            .y = transforms[g.row_y],
                            .x = transforms[g.row_x],
                            .frequencies = frequencies_of(given, g),
                            .depth = depth_of(given, g),
                            .weights = weights,
                            .longest_part = longest_part(g)});
    weights += state->kinds.back().depth * state->channels.padded;
  }
  return state;
}

// The `tile`-th of all images.
Place place_of(const TileGroup& tiles, std::int64_t tile) {
  const std::int64_t in_image = tile % tiles.tiles();
  return {.image = tile / tiles.tiles(),
          .y = tiles.first_y + in_image / tiles.count_x * tiles.y().outputs,
          .x = tiles.first_x + in_image % tiles.count_x * tiles.x().outputs};
}

// Gives each row part its blocks of tiles.
std::vector<std::vector<TileBlock>> make_parts(const State& state, std::int64_t most_tiles) {
  std::vector<std::vector<TileBlock>> parts(static_cast<std::size_t>(state.split.row_parts));
  for (std::int64_t part = 0; part < state.split.row_parts; ++part) {
    for (std::size_t kind = 0; kind < state.kinds.size(); ++kind) {
      const TileGroup& group = state.kinds[kind].tiles;
      const Range tiles = share(group.tiles() * state.shape.batch, part, state.split.row_parts);
      const std::int64_t count = ceil_div(tiles.size(), most_tiles);
      for (std::int64_t i = 0; i < count; ++i) {
        const Range range = share(tiles.size(), i, count);
        TileBlock block{.kind = static_cast<std::int64_t>(kind), .tiles = {}};
        for (std::int64_t tile = range.first; tile < range.last; ++tile) {
          block.tiles.push_back(place_of(group, tiles.first + tile));
        }
        parts[part].push_back(std::move(block));
      }
    }
  }
  return parts;
}

// How many rows of tiles of each kind cover so many outputs with the fewest multiplications.
std::vector<std::int64_t> covering_rows(const State& state, std::int64_t outputs) {
  const CookToom& main = state.kinds.front().tiles.y();
  if (state.kinds.size() == 1) return {ceil_div(outputs, main.outputs)};
  const CookToom& edge = state.kinds.back().tiles.y();
  std::vector<std::int64_t> best;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t edges = 0; edges <= ceil_div(outputs, edge.outputs); ++edges) {
    const std::int64_t rest = std::max<std::int64_t>(0, outputs - edges * edge.outputs);
    const std::int64_t mains = ceil_div(rest, main.outputs);
    const std::int64_t points = mains * main.points() + edges * edge.points();
    if (points >= least) continue;
    least = points;
    best = {mains, edges};
  }
  return best;
}

// Adds blocks of whole rows of tiles for rows `pooled` of the pool of an image, in the order of the rows.
void add_pooled_blocks(const State& state, std::int64_t image, const Range& pooled, std::int64_t rows_at_once,
                       std::vector<TileBlock>& blocks) {
  const Range all = state.pool->rows_read(pooled);
  const std::vector<std::int64_t> counts = covering_rows(state, all.size());
  std::int64_t y = all.first;
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    const TileGroup& group = state.kinds[kind].tiles;
    const std::int64_t count = ceil_div(counts[kind], rows_at_once);
    for (std::int64_t i = 0; i < count; ++i) {
      TileBlock block{.kind = static_cast<std::int64_t>(kind), .tiles = {}, .rows = {y, y}, .pooled = pooled};
      for (std::int64_t row = share(counts[kind], i, count).size(); row > 0; --row, y += group.y().outputs) {
        for (std::int64_t x = 0; x < group.count_x; ++x) {
          block.tiles.push_back({.image = image, .y = y, .x = x * group.x().outputs});
        }
      }
      block.rows.last = std::min(y, all.last);
      blocks.push_back(std::move(block));
    }
  }
}

// The same where the outputs are pooled: each part has rows of what the pools give, and computes what these read.
std::vector<std::vector<TileBlock>> make_pooled_parts(const State& state, const Tuning& tuning) {
  std::vector<std::vector<TileBlock>> parts(static_cast<std::size_t>(state.split.row_parts));
  for (std::int64_t part = 0; part < state.split.row_parts; ++part) {
    const Range rows = share(state.pooled_rows * state.shape.batch, part, state.split.row_parts);
    for (std::int64_t row = rows.first; row < rows.last;) {
      const std::int64_t image = row / state.pooled_rows;
      const std::int64_t end = std::min(rows.last, (image + 1) * state.pooled_rows);
      const std::int64_t before = image * state.pooled_rows;
      add_pooled_blocks(state, image, {row - before, end - before}, tile_rows(tuning), parts[part]);
      row = end;
    }
  }
  return parts;
}

// Those of `count` points first, first + step, ... that lie in [0, extent).
Range inside(std::int64_t first, std::int64_t step, std::int64_t extent, std::int64_t count) {
  const auto points_below = [&](std::int64_t end) {
    return std::clamp<std::int64_t>((end - first + step - 1) / step, 0, count);
  };
  return {first < 0 ? points_below(0) : 0, first < extent ? points_below(extent) : 0};
}

// Rows of the phases of an image that have been copied.
struct Band {
  std::int64_t image = -1;
  Range rows;
};

// What one member of the team works on.
struct Work : ConvMemory {
  const State& state;
  Band band{};

  float* pass() const { return scratch + state.layout.pass; }

  float* band_row(std::int64_t y) const {
    return scratch + state.layout.band + y % state.layout.band_rows * state.layout.band_width * kPhasePitch;
  }

  // Copies the rows of phases that a tile reads and the band does not hold yet.
  void copy_band(const TileKind& kind, const Place& place) {
    const std::int64_t last = place.y + kind.tiles.y().points();
    if (band.image != place.image || place.y < band.rows.first || place.y > band.rows.last) {
      band = {place.image, {place.y, place.y}};
    }
    const float* image = source + place.image * state.strided->source.image;
    for (; band.rows.last < last; ++band.rows.last) {
      copy_phases(*state.strided, image, band.rows.last, 0, state.layout.band_width, band_row(band.rows.last));
    }
    band.rows.first = std::max(band.rows.first, band.rows.last - state.layout.band_rows);
  }

  // Rows of pixels that a tile reads, and where of these rows; null outside the image.
  struct Rows {
    std::array<const float*, kMaxPoints> row{};
    Inputs inputs;
  };

  // Those of phase (p, q) where there are phases.
  Rows source_rows(const TileKind& kind, const Place& place, std::int64_t p, std::int64_t q) const {
    const ConvShape& s = state.strided ? *state.strided : state.shape;
    const std::int64_t step = s.op.strides[0];
    const std::int64_t first_y = place.y * step + p - s.op.pads[0];
    const std::int64_t first_x = place.x * step + q - s.op.pads[1];
    const float* image = source + place.image * s.source.image;
    const Range inside_y = inside(first_y, step, s.input[0], kind.tiles.y().points());
    Rows rows{.inputs = {.offset = first_x * s.source.pixel,
                         .point = step * s.source.pixel,
                         .points = inside(first_x, step, s.input[1], kind.tiles.x().points())}};
    for (std::int64_t j = inside_y.first; j < inside_y.last; ++j) {
      rows.row[j] = image + (first_y + j * step) * s.source.row;
    }
    return rows;
  }

  // Those of the band.
  Rows band_rows(const TileKind& kind, const Place& place) const {
    Rows rows{
        .inputs = {.offset = place.x * kPhasePitch, .point = kPhasePitch, .points = {0, kind.tiles.x().points()}}};
    for (int j = 0; j < kind.tiles.y().points(); ++j) rows.row[j] = band_row(place.y + j);
    return rows;
  }

  void transform_input(const TileKind& kind, const TileBlock& block) {
    const std::int64_t inputs = state.layout.inputs;
    float* to = scratch;
    for (const Place& place : block.tiles) {
      if (kind.tiles.row_x == 0) {
        transform_column(kind, place, inputs, to);
      } else if (state.copies) {
        copy_band(kind, place);
        transform_rows(kind, band_rows(kind, place), inputs, to);
      } else {
        const std::int64_t phases = state.strided ? 4 : 1;
        for (std::int64_t phase = 0; phase < phases; ++phase) {
          transform_rows(kind, source_rows(kind, place, phase / 2, phase % 2), inputs / phases,
                         to + phase * inputs / phases);
        }
      }
      to += inputs;
    }
  }

  // Along y alone.
  void transform_column(const TileKind& kind, const Place& place, std::int64_t channels, float* to) const {
    const ConvShape& s = state.shape;
    const std::int64_t first_y = place.y - s.op.pads[0];
    const std::int64_t x = place.x - s.op.pads[1];
    const float* column =
        x >= 0 && x < s.input[1] ? source + place.image * s.source.image + x * s.source.pixel : nullptr;
    kind.y.input({.lines = &column,
                  .offset = first_y * s.source.row,
                  .point = s.source.row,
                  .points = inside(first_y, 1, s.input[0], kind.tiles.y().points()),
                  .zeros = state.zeros.data()},
                 {.channels = channels}, to, {.point = state.layout.input_stride});
  }

  // Along x, for 2-D along x for each row of the tile and then along y for each column of frequencies.
  void transform_rows(const TileKind& kind, const Rows& rows, std::int64_t all, float* to) const {
    Inputs from = rows.inputs;
    from.lines = rows.row.data();
    from.zeros = state.zeros.data();
    const std::int64_t stride = state.layout.input_stride;
    if (kind.tiles.row_y == 0) return kind.x.input(from, {.channels = all}, to, {.point = stride});
    const std::int64_t points_y = kind.tiles.y().points();
    const std::int64_t points_x = kind.tiles.x().points();
    std::array<const float*, kMaxPoints> columns{};
    for (std::int64_t q = 0; q < points_x; ++q) columns[q] = pass() + q * kChunk;
    const Inputs passed{.lines = columns.data(), .point = points_x * kChunk, .points = {0, points_y}};
    for (std::int64_t c = 0; c < all; c += kChunk, from.offset += kChunk) {
      const std::int64_t channels = std::min(kChunk, all - c);
      kind.x.input(from, {.count = points_y, .channels = channels}, pass(),
                   {.line = points_x * kChunk, .point = kChunk});
      kind.y.input(passed, {.count = points_x, .channels = channels}, to + c,
                   {.line = stride, .point = points_x * stride});
    }
  }

  void multiply(const TileKind& kind, const TileBlock& block, const ChannelGroup& group) const {
    const float* panel = weights + kind.weights + group.channel * kind.depth;
    const float* input = scratch;
    float* products = scratch + state.layout.products;
    std::int64_t depth = 0;
    ProductDivision division;
    for (const Frequency& frequency : kind.frequencies) {
      for (std::int64_t i = group.slices.first; i < group.slices.last; ++i) {
        const Slice& slice = state.channels.slices[i];
        for (const Range& inputs : frequency.inputs) {
          if (inputs.size() != depth) {
            depth = inputs.size();
            division = divide_products(*state.kernels, static_cast<std::int64_t>(block.tiles.size()), depth,
                                       kind.longest_part);
          }
          backend::multiply(*state.kernels, division,
                            {.rows = slice.rows,
                             .a = panel,
                             .b = input + inputs.first,
                             .ldb = state.layout.inputs,
                             .c = products + slice.channel - group.channel,
                             .ldc = state.layout.width,
                             .depth = depth,
                             .adds = inputs.first > 0});
          panel += depth * slice.rows;
        }
      }
      input += state.layout.input_stride;
      products += state.layout.output_stride;
    }
  }

  std::int64_t unpooled_row() const { return state.shape.output[1] * state.shape.out_channels; }

  // Where the outputs of a tile go that are yet to be pooled.
  Outputs unpooled(const TileKind& kind, const Place& place, std::int64_t first_row, std::int64_t channel) const {
    const ConvShape& s = state.shape;
    return {.at = scratch + state.layout.unpooled + (place.y - first_row) * unpooled_row() + place.x * s.out_channels +
                  channel,
            .pitch = {.line = unpooled_row(), .point = s.out_channels},
            .count = std::min<std::int64_t>(kind.tiles.x().outputs, s.output[1] - place.x),
            .discarded = scratch + state.layout.discarded};
  }

  void pool(const TileBlock& block) const {
    state.pool->join(
        scratch + state.layout.unpooled, block.rows,
        result + block.tiles.front().image * state.shape.result.image + block.pooled.first * state.shape.result.row,
        block.pooled);
  }

  // Where the outputs of a tile go, row by row, and where their residuals are.
  Outputs outputs(const TileKind& kind, const Place& place, std::int64_t channel) const {
    const ConvShape& s = state.shape;
    Outputs to{
        .at = result + place.image * s.result.image + place.y * s.result.row + place.x * s.result.pixel + channel,
        .pitch = {.line = s.result.row, .point = s.result.pixel},
        .count = std::min<std::int64_t>(kind.tiles.x().outputs, s.output[1] - place.x),
        .discarded = scratch + state.layout.discarded};
    if (residual == nullptr) return to;
    to.residual =
        residual + place.image * s.residual.image + place.y * s.residual.row + place.x * s.residual.pixel + channel;
    to.residual_pitch = {.line = s.residual.row, .point = s.residual.pixel};
    return to;
  }

  void transform_output(const TileKind& kind, const TileBlock& block, const ChannelGroup& group) const {
    const std::int64_t width = std::min(group.width, state.shape.out_channels - group.channel);
    const Pitch points{.point = state.layout.output_stride};
    const float* from = scratch + state.layout.products;
    for (const Place& place : block.tiles) {
      const std::int64_t end = state.pool ? block.rows.last : state.shape.output[0];
      const std::int64_t rows = std::min<std::int64_t>(kind.tiles.y().outputs, end - place.y);
      Outputs to =
          state.pool ? unpooled(kind, place, block.rows.first, group.channel) : outputs(kind, place, group.channel);
      if (kind.tiles.row_y == 0) {
        kind.x.finish(from, points, {.channels = width}, to, bias + group.channel, state.epilogue);
      } else if (kind.tiles.row_x == 0) {
        std::swap(to.pitch.line, to.pitch.point);
        std::swap(to.residual_pitch.line, to.residual_pitch.point);
        to.count = rows;
        kind.y.finish(from, points, {.channels = width}, to, bias + group.channel, state.epilogue);
      } else {
        finish_square(kind, to, rows, width, bias + group.channel, from);
      }
      from += state.layout.width;
    }
  }

  void finish_square(const TileKind& kind, Outputs to, std::int64_t rows, std::int64_t width, const float* offsets,
                     const float* from) const {
    const std::int64_t points_x = kind.tiles.x().points();
    const std::int64_t stride = state.layout.output_stride;
    for (std::int64_t c = 0; c < width; c += kChunk) {
      const std::int64_t channels = std::min(kChunk, width - c);
      kind.y.output(from + c, {.line = stride, .point = points_x * stride}, {.count = points_x, .channels = channels},
                    pass(), {.line = kChunk, .point = points_x * kChunk});
      kind.x.finish(pass(), {.line = points_x * kChunk, .point = kChunk}, {.count = rows, .channels = channels}, to,
                    offsets + c, state.epilogue);
      to.at += channels;
      if (to.residual != nullptr) to.residual += channels;
    }
  }
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const auto groups = static_cast<std::int64_t>(state.channels.groups.size());
  Work work{state.addresses.of(addresses, team), state};
  if (work.bias == nullptr) work.bias = state.zeros.data();
  const std::int64_t pieces = state.split.row_parts * state.split.column_parts;
  for (std::int64_t piece = team.index; piece < pieces; piece += team.count) {
    const Range columns = share(groups, piece % state.split.column_parts, state.split.column_parts);
    for (const TileBlock& block : state.parts[piece / state.split.column_parts]) {
      const TileKind& kind = state.kinds[block.kind];
      work.transform_input(kind, block);
      for (std::int64_t g = columns.first; g < columns.last; ++g) {
        work.multiply(kind, block, state.channels.groups[g]);
        work.transform_output(kind, block, state.channels.groups[g]);
      }
      if (state.pool) work.pool(block);
    }
  }
}

}  // namespace

bool applies(const ConvShape& given, const Target& target) {
  const ConvShape shape = without_stride(given);
  const auto has_rows = [](std::int64_t taps) { return find_cooktoom(taps == 1 ? 1 : 2, static_cast<int>(taps)) >= 0; };
  return target.isa != Isa::sse41 && has_simple_activation(shape.op.activation) && shape.op.groups == 1 &&
         shape.op.strides == ir::Extent2{1, 1} && shape.op.dilations == ir::Extent2{1, 1} &&
         shape.kernel != ir::Extent2{1, 1} && has_rows(shape.kernel[0]) && has_rows(shape.kernel[1]) &&
         shape.output[0] > 0 && shape.output[1] > 0 && shape.batch > 0 && given.source.pixel > 0 &&
         shape.result.pixel > 0;
}

std::vector<std::int64_t> to_numbers(const Tuning& tuning) {
  std::vector<std::int64_t> numbers{static_cast<std::int64_t>(tuning.isa), tuning.tiles, tuning.channels};
  for (const AxisTiling& axis : {tuning.tiling.y, tuning.tiling.x}) {
    numbers.insert(numbers.end(), {axis.main_row, axis.main_count, axis.edge_row, axis.edge_count});
  }
  return numbers;
}

Tuning tuning_from(std::span<const std::int64_t> numbers) {
  DEEPER_CHECK(numbers.size() == 11, "tuning of a winograd step");
  const auto axis = [&](std::size_t first) {
    return AxisTiling{.main_row = static_cast<int>(numbers[first]),
                      .main_count = numbers[first + 1],
                      .edge_row = static_cast<int>(numbers[first + 2]),
                      .edge_count = numbers[first + 3]};
  };
  const Tuning tuning{.isa = static_cast<Isa>(numbers[0]),
                      .tiling = {.y = axis(3), .x = axis(7)},
                      .tiles = numbers[1],
                      .channels = numbers[2]};
  for (const AxisTiling& a : {tuning.tiling.y, tuning.tiling.x}) {
    DEEPER_CHECK(a.main_row >= 0 && a.main_row < kCookToomCount && a.edge_row >= 0 && a.edge_row < kCookToomCount,
                 "tiles of a winograd step");
  }
  return tuning;
}

std::string describe(const ConvShape& /*shape*/, const Tuning& tuning) {
  const Tiling& t = tuning.tiling;
  std::string text = to_string(kCookToom[t.y.main_row], kCookToom[t.x.main_row]);
  const auto edge = [](const AxisTiling& a) { return a.edge_count > 0 ? kCookToom[a.edge_row].outputs : 0; };
  if (edge(t.y) != 0 || edge(t.x) != 0) text += fmt::format("+{}x{}", edge(t.y), edge(t.x));
  return text + fmt::format(" tiles {} channels {}", tuning.tiles, tuning.channels);
}

std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads, bool pools) {
  const Channels channels = divide_channels(without_stride(shape), tuning.isa, tuning.channels);
  return make_layout(shape, tuning, channels, pools).total * threads * static_cast<std::int64_t>(sizeof(float));
}

bool can_pool(const ConvShape& shape, const ir::Pool& pool, const Tuning& tuning) {
  const AxisTiling& x = tuning.tiling.x;
  const bool is_square = tuning.tiling.y.main_row != 0 && x.main_row != 0;
  return native::RowPool::applies(pool) && !shape.has_residual && is_square && x.main_count > 0 && x.edge_count == 0;
}

std::optional<Tuning> pooled(const ConvShape& shape, const ir::Pool& pool, const Tuning& tuning, const Target& target) {
  if (!can_pool(shape, pool, tuning)) return std::nullopt;
  const Costs& costs = costs_of(target.machine, tuning.isa);
  if (choose_split(shape, tuning, target.threads, costs).split.column_parts > 1) return std::nullopt;
  Tuning result = tuning;
  result.tiles = tile_rows(tuning) * tuning.tiling.x.main_count;
  return result;
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "winograd step '" + step.name + "' is not a convolution of NHWC images");
  const Tuning tuning = tuning_from(step.tuning);
  std::shared_ptr<State> state = make_state(*shape, tuning, threads, step.result_pool.has_value());
  if (step.result_pool) {
    const ir::Extent2 pooled{step.result.shape[2], step.result.shape[3]};
    state->pooled_rows = pooled[0];
    state->pool = native::RowPool(*step.result_pool, shape->out_channels, shape->output, pooled,
                                  shape->output[1] * shape->out_channels, shape->out_channels, shape->result);
  }
  state->parts = step.result_pool ? make_pooled_parts(*state, tuning) : make_parts(*state, tuning.tiles);
  state->addresses = ConvAddresses(*shape, step, threads);
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::winograd
