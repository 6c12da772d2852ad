#include "backend/kernels/amx.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backend/kernels/amx_image.h"
#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/amx_weights.h"
#include "backend/kernels/conv_memory.h"
#include "backend/kernels/rounding.h"
#include "backend/kernels/split.h"
#include "ir/error.h"

namespace deeper::backend::amx {
namespace {

constexpr std::int64_t kLineBytes = sizeof(Line);
constexpr std::int64_t kPanelBytes = 30 << 10;  // of the weights of a tile that all pixels of a chunk meet from L1

// Lines of a block of inputs of a chunk.
std::int64_t lines_of(const Image& image, const Tuning& tuning) {
  return pieces_of_chunk(image, tuning.pixels) * image.piece_lines();
}

// Time of the member that has most to do.
double member_ns(const ConvShape& shape, const Tuning& tuning, const Split& split) {
  constexpr double kProductNs = 4.3;   // of tiles of digits
  constexpr double kFarWeights = 1.4;  // times that where a block's weights do not stay in L1
  constexpr double kSplitNs = 6.9;     // of a pixel's block of inputs
  constexpr double kPixelNs = 2.3;
  constexpr double kSumsNs = 46;  // to finish those of a tile of pixels and one of output channels
  constexpr double kSourceBytesPerNs = 34;
  constexpr double kResultBytesPerNs = 28;
  constexpr double kMemoryBytesPerNs = 32;
  constexpr double kSharedBytesPerNs = 17;  // where all members read the same
  constexpr double kAgainBytesPerNs = 60;   // what every chunk but the first reads
  constexpr double kExposed = 0.85;
  const Image image(shape, tuning.pixels);
  const std::int64_t pixels = ceil_div(shape.batch * image.pixels, split.row_parts);
  const std::int64_t most =
      image.pixels > tuning.pixels ? tuning.pixels : image.pixels * pieces_of_chunk(image, tuning.pixels);
  const std::int64_t chunks = ceil_div(pixels, most);
  const std::int64_t tiles = chunks * ceil_div(ceil_div(pixels, chunks), kTileRows);
  const std::int64_t outputs = ceil_div(channel_tiles(shape), split.column_parts);
  const auto sums = static_cast<double>(tiles * outputs);
  const auto groups = static_cast<double>(ceil_div(blocks_of(shape), tuning.blocks));
  const double products = sums * static_cast<double>(blocks_of(shape) * window(shape) * products_of(kMostLevels - 1));
  const auto split_pixels = static_cast<double>((pixels + chunks * image.reach()) * image.phases());
  const auto source_bytes = split_pixels * static_cast<double>(shape.in_channels * 4);
  const auto result_bytes = static_cast<double>(pixels * outputs * kTileRows * 4);
  const bool are_far = weight_lines(shape, 1) * kLineBytes > kPanelBytes;
  const double compute = products * kProductNs * (are_far ? kFarWeights : 1) + sums * groups * kSumsNs +
                         split_pixels * (static_cast<double>(blocks_of(shape)) * kSplitNs + kPixelNs) +
                         source_bytes / kSourceBytesPerNs + result_bytes / kResultBytesPerNs;
  const double bytes_per_ns = split.row_parts > 1 ? kSharedBytesPerNs : kMemoryBytesPerNs;
  const double fetch = static_cast<double>(outputs * weight_lines(shape, blocks_of(shape)) * kLineBytes) *
                       (1 / bytes_per_ns + static_cast<double>(chunks - 1) / kAgainBytesPerNs);
  return std::max(compute + kExposed * fetch, fetch + kExposed * compute);
}

TeamSplit best_split(const ConvShape& shape, const Tuning& tuning, std::int64_t threads) {
  constexpr double kOthersBytesPerNs = 8;
  return fastest_split(shape, threads, threads, kOthersBytesPerNs,
                       [&](const Split& split) { return member_ns(shape, tuning, split); });
}

// Lines of a thread's scratch: the split input of a chunk, its units and its signs, and the sums of all pixels where
// they are kept.
struct Scratch {
  std::int64_t input = 0;
  std::int64_t units = 0;
  std::int64_t signs = 0;
  std::int64_t sums = 0;
  std::int64_t total() const { return input + units + signs + sums; }
};

Scratch scratch_of(const ConvShape& shape, const Tuning& tuning) {
  const Image image(shape, tuning.pixels);
  const std::int64_t lines = lines_of(image, tuning);
  Scratch scratch{.input = lines * tuning.blocks * kDigits,
                  .units = ceil_div(lines, kLineFloats),
                  .signs = ceil_div(lines, kLineBytes)};
  if (tuning.blocks < blocks_of(shape)) {
    const std::int64_t tiles = ceil_div(std::min(image.pixels, tuning.pixels), kTileRows);
    scratch.sums = pieces_of_chunk(image, tuning.pixels) * tiles * channel_tiles(shape) * kTileRows;
  }
  return scratch;
}

// A group of blocks of a chunk.
struct Item {
  const Chunk* chunk = nullptr;
  Range group;
};

struct State {
  State(const ConvShape& s, const Tuning& t, int threads)
      : shape(flattened(s)),
        tuning(t),
        image(shape, t.pixels),
        taps(image.taps()),
        split(best_split(shape, t, threads).split) {}
  ConvShape shape;
  Tuning tuning;
  Image image;
  std::vector<std::int64_t> taps;
  Split split;
  Epilogue epilogue;
  // Of split inputs: where every output reads one pixel, a tile's lie together, otherwise a block's.
  std::int64_t block_stride = 0;
  std::int64_t tile_stride = 0;
  Scratch scratch;
  std::vector<std::vector<Chunk>> chunks;  // of each share of the pixels
  std::vector<std::vector<Item>> items;    // of each share of the pixels
  ConvAddresses addresses;
};

std::shared_ptr<State> make_state(const ConvShape& shape, const Tuning& tuning, int threads) {
  auto state = std::make_shared<State>(shape, tuning, threads);
  state->epilogue = make_epilogue(shape.op.activation);
  const bool is_pointwise = state->image.is_pointwise();
  state->block_stride = is_pointwise ? kTileRows : lines_of(state->image, tuning);
  state->tile_stride = is_pointwise ? kTileRows * tuning.blocks : kTileRows;
  state->scratch = scratch_of(state->shape, tuning);
  for (std::int64_t part = 0; part < state->split.row_parts; ++part) {
    const Range pixels = share(state->shape.batch * state->image.pixels, part, state->split.row_parts);
    state->chunks.push_back(make_chunks(state->shape, state->image, tuning.pixels, pixels));
  }
  const std::vector<Range> groups = groups_of(shape, tuning.blocks);
  for (const std::vector<Chunk>& chunks : state->chunks) {
    state->items.emplace_back();
    for (const Chunk& chunk : chunks) {
      for (const Range& group : groups) state->items.back().push_back({&chunk, group});
    }
  }
  return state;
}

// What one member of the team works on.
struct Work : ConvMemory {
  const State& state;

  // The first line of the weights of a group for a tile of output channels.
  const Line* lines_of(const Range& group, std::int64_t tile) const {
    const ConvShape& s = state.shape;
    return reinterpret_cast<const Line*>(weights) + weight_lines(s, group.first) * channel_tiles(s) +
           weight_lines(s, group.size()) * tile;
  }
  const float* units_of(std::int64_t tile) const {
    const ConvShape& s = state.shape;
    return weights + (weight_lines(s, blocks_of(s)) * channel_tiles(s) + tile) * kLineFloats;
  }
};

class Member {
 public:
  Member(const Work& work, Line* scratch, const Range& tiles)
      : work_(work),
        state_(work.state),
        input_{.digits = reinterpret_cast<Digits*>(scratch),
               .block_stride = state_.block_stride,
               .tile_stride = state_.tile_stride,
               .units = reinterpret_cast<float*>(scratch + state_.scratch.input),
               .are_signed = reinterpret_cast<bool*>(scratch + state_.scratch.input + state_.scratch.units)},
        tiles_(tiles) {
    const Scratch& of = state_.scratch;
    if (of.sums > 0) kept_ = reinterpret_cast<float*>(scratch + of.input + of.units + of.signs);
  }

  void run(std::span<const Item> items) {
    if (tiles_.size() == 0) return;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Item& item = items[i];
      split_chunk(state_.shape, state_.image, *item.chunk, item.group, work_.source, input_);
      for (std::int64_t tile = tiles_.first; tile < tiles_.last; ++tile) {
        const bool is_last = tile + 1 == tiles_.last && i + 1 < items.size();
        // Behind the weights lie those of the next step.
        multiply(item, tile,
                 is_last ? work_.lines_of(items[i + 1].group, tiles_.first) : work_.lines_of(item.group, tile + 1));
      }
    }
  }

 private:
  // A tile of output channels with all pixels of a chunk, fetching what follows its weights.
  void multiply(const Item& item, std::int64_t tile, const Line* next) {
    const auto count = static_cast<std::int64_t>(item.chunk->tiles.size());
    const auto taps = static_cast<std::int64_t>(state_.taps.size());
    TileProduct product{.block_stride = state_.block_stride,
                        .taps = state_.taps.data(),
                        .tap_count = taps,
                        .blocks = item.group.size(),
                        .b = work_.lines_of(item.group, tile),
                        .next = next};
    const Line* next_end = next + weight_lines(state_.shape, item.group.size());
    Finish how = finish_of(item, tile);
    if (kept_ != nullptr) how.kept = kept_ + (tile - tiles_.first) * count * kTileRows * kTileRows;
    for (const PixelTile& pixels : item.chunk->tiles) {
      product.a = input_.at(pixels.line);
      product.next_lines = product.next < next_end ? ceil_div(kDigits * kTileRows, count) : 0;
      const bool is_signed = input_.are_signed[pixels.line];
      how.levels = is_signed ? state_.tuning.levels : kMostLevels - 1;
      amx::multiply(product, is_signed, how.levels, sums_.data());
      product.next += product.next_lines * product.blocks * taps;
      how.units = input_.units + pixels.line;
      finish(how, pixels.runs, sums_.data());
      if (kept_ != nullptr) how.kept += kTileRows * kTileRows;
    }
  }

  Finish finish_of(const Item& item, std::int64_t tile) const {
    const ConvShape& s = state_.shape;
    const std::int64_t channel = tile * kTileRows;
    const bool is_last = item.group.last == blocks_of(s);
    return {.epilogue = state_.epilogue,
            .weight_units = work_.units_of(tile),
            .bias = work_.bias != nullptr ? work_.bias + channel : nullptr,
            .channels = std::min(kTileRows, s.out_channels - channel),
            .adds = item.group.first > 0,
            .residual = work_.residual != nullptr ? work_.residual + channel : nullptr,
            .residual_stride = s.residual.pixel,
            .result = is_last ? work_.result + channel : nullptr,
            .result_stride = s.result.pixel};
  }

  const Work& work_;
  const State& state_;
  SplitInput input_;
  float* kept_ = nullptr;  // sums of all tiles of a chunk
  Range tiles_;            // of output channels
  std::array<Sums, kMostLevels> sums_;
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const ConvShape& s = state.shape;
  const Work work{state.addresses.of(addresses, team), state};
  const Tiles tiles;
  const std::int64_t shares = state.split.row_parts * state.split.column_parts;
  for (std::int64_t part = team.index; part < shares; part += team.count) {
    const Range outputs = share(channel_tiles(s), part % state.split.column_parts, state.split.column_parts);
    Member(work, reinterpret_cast<Line*>(work.scratch), outputs).run(state.items[part / state.split.column_parts]);
  }
}

}  // namespace

bool applies(const ConvShape& shape, const Target& target) {
  return target.isa >= Isa::amx && has_simple_activation(shape.op.activation) && shape.op.groups == 1 &&
         window(shape) <= kMostSteps && shape.in_channels > 0 && shape.out_channels > 0 && shape.output[0] > 0 &&
         shape.output[1] > 0 && shape.source.pixel > 0 && shape.result.pixel > 0;
}

Tuning choose(const ConvShape& given, const Target& target, Accuracy accuracy) {
  constexpr std::int64_t kFewPixels = 8 * kTileRows;
  const ConvShape shape = flattened(given);
  const Image image(shape, kTileRows);
  const std::int64_t most = std::min(kPanelBytes / (weight_lines(shape, 1) * kLineBytes), kMostSteps / window(shape));
  Tuning tuning{.isa = target.isa,
                .levels = accuracy == Accuracy::fast ? kMostLevels - 1 : kMostLevels,
                .pixels = 0,
                .blocks = std::clamp<std::int64_t>(most, 1, blocks_of(shape))};
  tuning.blocks = ceil_div(blocks_of(shape), ceil_div(blocks_of(shape), tuning.blocks));  // equal groups
  const std::int64_t pixel_bytes = image.phases() * tuning.blocks * kDigits * kLineBytes;
  tuning.pixels = target.l2_bytes / 4 / pixel_bytes - image.reach();
  if (tuning.blocks < blocks_of(shape)) {
    const std::int64_t sum_bytes = channel_tiles(shape) * kLineBytes;
    tuning.pixels = std::min(tuning.pixels, target.l2_bytes / 2 / sum_bytes);
  }
  const std::int64_t all = round_up(shape.batch * image.pixels, kTileRows);
  tuning.pixels = std::clamp(round_up(tuning.pixels, kTileRows), std::min(all, kFewPixels), all);
  return tuning;
}

std::vector<std::int64_t> to_numbers(const Tuning& tuning) {
  return {static_cast<std::int64_t>(tuning.isa), tuning.levels, tuning.pixels, tuning.blocks};
}

Tuning tuning_from(std::span<const std::int64_t> numbers) {
  DEEPER_CHECK(numbers.size() == 4 && (numbers[1] == kMostLevels || numbers[1] == kMostLevels - 1) && numbers[2] > 0 &&
                   numbers[3] > 0,
               "tuning of an amx step");
  return {.isa = static_cast<Isa>(numbers[0]),
          .levels = static_cast<int>(numbers[1]),
          .pixels = numbers[2],
          .blocks = numbers[3]};
}

std::string describe(const Tuning& tuning) {
  return fmt::format("INT8x{} pixels {} blocks {}", kDigits, tuning.pixels, tuning.blocks);
}

std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads) {
  return scratch_of(flattened(shape), tuning).total() * kLineBytes * threads;
}

double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target) {
  return best_split(flattened(shape), tuning, target.threads).ns;
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "amx step '" + step.name + "' is not a convolution of NHWC images");
  std::shared_ptr<State> state = make_state(*shape, tuning_from(step.tuning), threads);
  state->addresses = ConvAddresses(*shape, step, threads);
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::amx
