#include "backend/kernels/winograd.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "backend/kernels/epilogue.h"
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

struct TileBlock {
  std::int64_t kind = 0;
  Range tiles;  // of all images
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
  std::int64_t total = 0;
};

struct State {
  ConvShape shape;
  std::optional<ConvShape> strided;  // what `shape` is the phases of
  bool copies = false;               // them
  Epilogue epilogue;
  Layout layout;
  Split split;
  std::size_t result_address = 0;
  std::vector<TileKind> kinds;
  Channels channels;
  std::vector<std::vector<TileBlock>> parts;  // for each row part of the split
  const ProductKernels* kernels = nullptr;
  std::vector<float> zeros;
};

Layout make_layout(const ConvShape& shape, const Tuning& tuning, const Channels& channels) {
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
  layout.total = layout.band + (copies ? layout.band_rows * layout.band_width * kPhasePitch : 0);
  return layout;
}

// Large tiles multiply the rounding of their products; summing these in parts keeps it down.
std::int64_t longest_part(const TileGroup& tiles) {
  constexpr double kMuch = 3.0;
  constexpr std::int64_t kShort = 96;
  return nested_error(tiles.y(), tiles.x()) > kMuch ? kShort : std::numeric_limits<std::int64_t>::max();
}

std::shared_ptr<State> make_state(const ConvShape& given, const Tuning& tuning, int threads) {
  auto state = std::make_shared<State>();
  const ConvShape shape = without_stride(given);
  state->shape = shape;
  if (has_phases(given)) state->strided = given;
  state->copies = copies_phases(given);
  state->epilogue = make_epilogue(shape.op.activation);
  state->channels = divide_channels(shape, tuning.isa, tuning.channels);
  state->layout = make_layout(given, tuning, state->channels);
  state->split = choose_split(given, tuning, threads, costs_of(this_machine(), tuning.isa)).split;
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

// Gives each row part its blocks of tiles.
std::vector<std::vector<TileBlock>> make_parts(const State& state, std::int64_t most_tiles) {
  std::vector<std::vector<TileBlock>> parts(static_cast<std::size_t>(state.split.row_parts));
  for (std::int64_t part = 0; part < state.split.row_parts; ++part) {
    for (std::size_t kind = 0; kind < state.kinds.size(); ++kind) {
      const std::int64_t all = state.kinds[kind].tiles.tiles() * state.shape.batch;
      const Range tiles = share(all, part, state.split.row_parts);
      const std::int64_t count = (tiles.size() + most_tiles - 1) / most_tiles;
      for (std::int64_t i = 0; i < count; ++i) {
        const Range block = share(tiles.size(), i, count);
        parts[part].push_back(
            {.kind = static_cast<std::int64_t>(kind), .tiles = {tiles.first + block.first, tiles.first + block.last}});
      }
    }
  }
  return parts;
}

// Where a tile lies.
struct Place {
  std::int64_t image = 0;
  std::int64_t y = 0;  // first output
  std::int64_t x = 0;
};

Place place_of(const TileGroup& tiles, std::int64_t tile) {
  const std::int64_t in_image = tile % tiles.tiles();
  return {.image = tile / tiles.tiles(),
          .y = tiles.first_y + in_image / tiles.count_x * tiles.y().outputs,
          .x = tiles.first_x + in_image % tiles.count_x * tiles.x().outputs};
}

// Rows of the phases of an image that have been copied.
struct Band {
  std::int64_t image = -1;
  Range rows;
};

// What one member of the team works on.
struct Work {
  const State& state;
  const float* source;
  const float* weights;
  const float* bias;      // zeros where there is none
  const float* residual;  // null where there is none
  float* result;
  float* scratch;
  Band band{};

  // Of a tile's pixels, line by line.
  using Pointers = std::array<const float*, kMaxPoints * kMaxPoints>;

  float* pass() const { return scratch + state.layout.pass; }

  // `count` pixels x, x + step, ... of a row of the source, whose shape is `s`; zeros outside the image.
  void source_row(const ConvShape& s, std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t step, int count,
                  const float** pixels) const {
    const bool inside = y >= 0 && y < s.input[0];
    const float* row = source + image * s.source.image + y * s.source.row;
    for (int k = 0; k < count; ++k, x += step) {
      const bool covered = inside && x >= 0 && x < s.input[1];
      pixels[k] = covered ? row + x * s.source.pixel : state.zeros.data();
    }
  }

  // The pixels that a tile reads; those of phase (p, q) where there are phases.
  Pointers source_pixels(const TileKind& kind, const Place& place, std::int64_t p, std::int64_t q) const {
    const ConvShape& s = state.strided ? *state.strided : state.shape;
    const std::int64_t step = s.op.strides[0];
    const int points_x = kind.tiles.x().points();
    Pointers pixels;
    for (int j = 0; j < kind.tiles.y().points(); ++j) {
      source_row(s, place.image, (place.y + j) * step + p - s.op.pads[0], place.x * step + q - s.op.pads[1], step,
                 points_x, pixels.data() + j * points_x);
    }
    return pixels;
  }

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

  // The pixels that a tile reads of the band.
  Pointers band_pixels(const TileKind& kind, const Place& place) const {
    const int points_x = kind.tiles.x().points();
    Pointers pixels;
    for (int j = 0; j < kind.tiles.y().points(); ++j) {
      const float* first = band_row(place.y + j) + place.x * kPhasePitch;
      for (int k = 0; k < points_x; ++k) pixels[j * points_x + k] = first + k * kPhasePitch;
    }
    return pixels;
  }

  void transform_input(const TileKind& kind, const TileBlock& block) {
    const std::int64_t inputs = state.layout.inputs;
    const Pointers columns = pass_columns(kind.tiles.y().points(), kind.tiles.x().points());
    for (std::int64_t tile = block.tiles.first; tile < block.tiles.last; ++tile) {
      const Place place = place_of(kind.tiles, tile);
      float* to = scratch + (tile - block.tiles.first) * inputs;
      if (state.copies) {
        copy_band(kind, place);
        transform_pixels(kind, band_pixels(kind, place), columns, inputs, to);
        continue;
      }
      const std::int64_t phases = state.strided ? 4 : 1;
      for (std::int64_t phase = 0; phase < phases; ++phase) {
        transform_pixels(kind, source_pixels(kind, place, phase / 2, phase % 2), columns, inputs / phases,
                         to + phase * inputs / phases);
      }
    }
  }

  void transform_pixels(const TileKind& kind, const Pointers& pixels, const Pointers& columns, std::int64_t channels,
                        float* to) const {
    if (kind.tiles.row_y != 0 && kind.tiles.row_x != 0) return transform_square(kind, pixels, columns, channels, to);
    const AxisTransform& axis = kind.tiles.row_y == 0 ? kind.x : kind.y;
    axis.input(pixels.data(), 0, {.channels = channels}, to, {.point = state.layout.input_stride});
  }

  // Where what the first axis' transform leaves is, for each column from top to bottom.
  Pointers pass_columns(int points_y, int points_x) const {
    Pointers columns;
    for (int k = 0; k < points_x; ++k) {
      for (int j = 0; j < points_y; ++j) columns[k * points_y + j] = pass() + (j * points_x + k) * kChunk;
    }
    return columns;
  }

  // Along x for each row of the tile, then along y for each column of frequencies.
  void transform_square(const TileKind& kind, const Pointers& pixels, const Pointers& columns, std::int64_t all,
                        float* to) const {
    const std::int64_t points_y = kind.tiles.y().points();
    const std::int64_t points_x = kind.tiles.x().points();
    const std::int64_t stride = state.layout.input_stride;
    for (std::int64_t c = 0; c < all; c += kChunk) {
      const std::int64_t channels = std::min(kChunk, all - c);
      kind.x.input(pixels.data(), c, {.count = points_y, .channels = channels}, pass(),
                   {.line = points_x * kChunk, .point = kChunk});
      kind.y.input(columns.data(), 0, {.count = points_x, .channels = channels}, to + c,
                   {.line = stride, .point = points_x * stride});
    }
  }

  void multiply(const TileKind& kind, const TileBlock& block, const ChannelGroup& group) const {
    const float* panel = weights + kind.weights + group.channel * kind.depth;
    const float* input = scratch;
    float* products = scratch + state.layout.products;
    for (const Frequency& frequency : kind.frequencies) {
      for (std::int64_t i = group.slices.first; i < group.slices.last; ++i) {
        const Slice& slice = state.channels.slices[i];
        for (const Range& inputs : frequency.inputs) {
          backend::multiply(*state.kernels, {.rows = slice.rows,
                                             .a = panel,
                                             .b = input + inputs.first,
                                             .ldb = state.layout.inputs,
                                             .c = products + slice.channel - group.channel,
                                             .ldc = state.layout.width,
                                             .columns = block.tiles.size(),
                                             .depth = inputs.size(),
                                             .longest_part = kind.longest_part,
                                             .adds = inputs.first > 0});
          panel += inputs.size() * slice.rows;
        }
      }
      input += state.layout.input_stride;
      products += state.layout.output_stride;
    }
  }

  // Where the outputs of a tile go, row by row, and their residuals; outside the image, to the discarded ones.
  struct Targets {
    std::array<float*, kMaxPoints * kMaxPoints> result;
    Pointers residual;
  };
  void targets(const TileGroup& tiles, const Place& at, std::int64_t channel, Targets& to) const {
    const ConvShape& s = state.shape;
    std::size_t i = 0;
    for (std::int64_t y = at.y; y < at.y + tiles.y().outputs; ++y) {
      for (std::int64_t x = at.x; x < at.x + tiles.x().outputs; ++x, ++i) {
        const bool inside = y < s.output[0] && x < s.output[1];
        to.result[i] = inside ? result + at.image * s.result.image + y * s.result.row + x * s.result.pixel + channel
                              : scratch + state.layout.discarded;
        if (residual == nullptr) continue;
        to.residual[i] = state.zeros.data();
        if (inside) {
          to.residual[i] = residual + at.image * s.residual.image + y * s.residual.row + x * s.residual.pixel + channel;
        }
      }
    }
  }

  void transform_output(const TileKind& kind, const TileBlock& block, const ChannelGroup& group) const {
    const std::int64_t width = std::min(group.width, state.shape.out_channels - group.channel);
    for (std::int64_t tile = block.tiles.first; tile < block.tiles.last; ++tile) {
      const Place place = place_of(kind.tiles, tile);
      Targets to;
      targets(kind.tiles, place, group.channel, to);
      const float* from = scratch + state.layout.products + (tile - block.tiles.first) * state.layout.width;
      if (kind.tiles.row_y != 0 && kind.tiles.row_x != 0) {
        const std::int64_t rows = std::min<std::int64_t>(kind.tiles.y().outputs, state.shape.output[0] - place.y);
        finish_square(kind, to, rows, group.channel, width, from);
        continue;
      }
      (kind.tiles.row_x == 0 ? kind.y : kind.x)
          .finish(from, {.point = state.layout.output_stride}, {.channels = width}, to.result.data(),
                  residual != nullptr ? to.residual.data() : nullptr, bias + group.channel, 0, state.epilogue);
    }
  }

  void finish_square(const TileKind& kind, const Targets& to, std::int64_t rows, std::int64_t first_channel,
                     std::int64_t width, const float* from) const {
    const std::int64_t points_x = kind.tiles.x().points();
    const std::int64_t stride = state.layout.output_stride;
    for (std::int64_t c = 0; c < width; c += kChunk) {
      const std::int64_t channels = std::min(kChunk, width - c);
      kind.y.output(from + c, {.line = stride, .point = points_x * stride}, {.count = points_x, .channels = channels},
                    pass(), {.line = kChunk, .point = points_x * kChunk});
      kind.x.finish(pass(), {.line = points_x * kChunk, .point = kChunk}, {.count = rows, .channels = channels},
                    to.result.data(), residual != nullptr ? to.residual.data() : nullptr, bias + first_channel, c,
                    state.epilogue);
    }
  }
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const ConvShape& s = state.shape;
  const auto groups = static_cast<std::int64_t>(state.channels.groups.size());
  auto* scratch = reinterpret_cast<float*>(addresses[state.result_address + 1]);
  Work work{.state = state,
            .source = reinterpret_cast<const float*>(addresses[0]),
            .weights = reinterpret_cast<const float*>(addresses[1]),
            .bias = s.has_bias ? reinterpret_cast<const float*>(addresses[2]) : state.zeros.data(),
            .residual = s.has_residual ? reinterpret_cast<const float*>(addresses[3]) : nullptr,
            .result = reinterpret_cast<float*>(addresses[state.result_address]),
            .scratch = scratch + team.index * state.layout.total};
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

std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads) {
  const Channels channels = divide_channels(without_stride(shape), tuning.isa, tuning.channels);
  return make_layout(shape, tuning, channels).total * threads * static_cast<std::int64_t>(sizeof(float));
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "winograd step '" + step.name + "' is not a convolution of NHWC images");
  const Tuning tuning = tuning_from(step.tuning);
  std::shared_ptr<State> state = make_state(*shape, tuning, threads);
  state->parts = make_parts(*state, tuning.tiles);
  state->result_address = step.operands.size();
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::winograd
