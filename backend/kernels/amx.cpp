#include "backend/kernels/amx.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backend/kernels/amx_image.h"
#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/amx_weights.h"
#include "backend/kernels/rounding.h"
#include "backend/kernels/split.h"
#include "ir/error.h"

namespace deeper::backend::amx {
namespace {

constexpr std::int64_t kLineBytes = sizeof(Line);
constexpr std::int64_t kLineFloats = kLineBytes / static_cast<std::int64_t>(sizeof(float));

std::int64_t pieces_of_chunk(const Image& image, const Tuning& tuning) {
  return std::max<std::int64_t>(1, tuning.pixels / image.pixels);
}

// Lines of a part of a block of inputs of a chunk.
std::int64_t part_lines(const Image& image, const Tuning& tuning) {
  return pieces_of_chunk(image, tuning) * image.piece_lines();
}

// The chunks of pixels [first, last) of all images.
std::vector<Chunk> make_chunks(const Image& image, const Tuning& tuning, Range pixels) {
  const auto most_pieces = static_cast<std::size_t>(pieces_of_chunk(image, tuning));
  std::vector<Chunk> chunks;
  for (std::int64_t first = pixels.first; first < pixels.last;) {
    const std::int64_t in_image = first % image.pixels;
    const std::int64_t left = std::min(image.pixels - in_image, pixels.last - first);
    // Equal chunks of whole products.
    const std::int64_t count = ceil_div(left, tuning.pixels);
    const std::int64_t size = std::min(left, round_up(ceil_div(left, count), kStripe));
    if (chunks.empty() || chunks.back().size() == most_pieces) chunks.emplace_back();
    chunks.back().push_back({.image = first / image.pixels,
                             .pixels = {in_image, in_image + size},
                             .line = static_cast<std::int64_t>(chunks.back().size()) * image.piece_lines()});
    first += size;
  }
  return chunks;
}

// Time of the member that has most to do.
double member_ns(const ConvShape& shape, const Tuning& tuning, const Split& split) {
  constexpr double kGigahertz = 3.2;
  constexpr double kProductCycles = 20.5;
  constexpr double kSplitCycles = 4;   // of a line
  constexpr double kFinishCycles = 8;  // of sixteen results
  constexpr double kAgainCycles = 4;   // of sixteen sums kept for the next group
  constexpr double kCallCycles = 60;   // of a product of tiles
  constexpr double kWeightCycles = 7;  // of splitting 32 weights
  constexpr double kMemoryBytesPerNs = 9.5;
  constexpr double kSharedBytesPerNs = 17;  // where all members read the same
  constexpr double kAgainBytesPerNs = 60;   // what every chunk but the first reads
  constexpr double kExposed = 0.35;
  constexpr double kStartNs = 4000;  // until the first input is split and the first weights have come
  const Image image(shape, tuning.pixels);
  const std::int64_t pixels = ceil_div(shape.batch * image.pixels, split.row_parts);
  const std::int64_t most =
      image.pixels > tuning.pixels ? tuning.pixels : image.pixels * pieces_of_chunk(image, tuning);
  const std::int64_t chunks = ceil_div(pixels, most);
  const std::int64_t tiles = chunks * ceil_div(ceil_div(pixels, chunks), kTileRows);
  const std::int64_t channel_tiles =
      std::min(ceil_div(stripes_of(shape), split.column_parts) * 2, ceil_div(shape.out_channels, kTileRows));
  const auto sums = static_cast<double>(tiles * channel_tiles);  // tiles of them
  const auto groups = static_cast<double>(ceil_div(blocks_of(shape), tuning.blocks));
  const double products = sums * static_cast<double>(blocks_of(shape) * window(shape) * products_of(tuning.parts));
  const auto lines =
      static_cast<double>((pixels + chunks * image.reach()) * image.phases() * blocks_of(shape) * tuning.parts);
  const auto rows = static_cast<double>(channel_tiles * weight_rows(shape, blocks_of(shape)));
  const double cycles = products * kProductCycles + lines * kSplitCycles +
                        (tuning.splits_weights ? rows * static_cast<double>(chunks) * kWeightCycles : 0) +
                        sums * (kTileRows * (kFinishCycles + (groups - 1) * kAgainCycles) + groups * kCallCycles / 4);
  const double compute = cycles / kGigahertz;
  const double bytes_per_ns = split.row_parts > 1 ? kSharedBytesPerNs : kMemoryBytesPerNs;
  const double fetch = rows * static_cast<double>(row_floats(tuning)) * sizeof(float) *
                       (1 / bytes_per_ns + static_cast<double>(chunks - 1) / kAgainBytesPerNs);
  return kStartNs + std::max(compute + kExposed * fetch, fetch + kExposed * compute);
}

TeamSplit best_split(const ConvShape& shape, const Tuning& tuning, std::int64_t threads) {
  return fastest_split(shape, threads, threads, [&](const Split& split) { return member_ns(shape, tuning, split); });
}

// Lines of a thread's scratch: the split input of a chunk and of the next one, the sums of all pixels where they are
// kept, and the weights of a stripe and of the next one where they are split on the way.
struct Scratch {
  std::int64_t input = 0;
  std::int64_t sums = 0;
  std::int64_t weights = 0;
  std::int64_t total() const { return input + sums + weights; }
};

Scratch scratch_of(const ConvShape& shape, const Tuning& tuning) {
  const Image image(shape, tuning.pixels);
  Scratch scratch{.input = 2 * part_lines(image, tuning) * tuning.blocks * tuning.parts};
  if (tuning.splits_weights) scratch.weights = 2 * 2 * weight_rows(shape, tuning.blocks) * tuning.parts;
  if (tuning.blocks < blocks_of(shape)) {
    const std::int64_t pixels = round_up(std::min(image.pixels, tuning.pixels), kStripe);
    scratch.sums = pieces_of_chunk(image, tuning) * pixels * stripes_of(shape) * kStripe / kLineFloats;
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
      : shape(s), tuning(t), image(s, t.pixels), taps(image.taps()), split(best_split(s, t, threads).split) {}
  ConvShape shape;
  Tuning tuning;
  Image image;
  std::vector<std::int64_t> taps;
  Split split;
  Epilogue epilogue;
  std::int64_t part_lines = 0;
  Scratch scratch;
  std::vector<std::vector<Chunk>> chunks;  // of each share of the pixels
  std::vector<std::vector<Item>> items;    // of each share of the pixels
  std::size_t result_address = 0;
};

std::shared_ptr<State> make_state(const ConvShape& shape, const Tuning& tuning, int threads) {
  auto state = std::make_shared<State>(shape, tuning, threads);
  state->epilogue = make_epilogue(shape.op.activation);
  state->part_lines = part_lines(state->image, tuning);
  state->scratch = scratch_of(shape, tuning);
  for (std::int64_t part = 0; part < state->split.row_parts; ++part) {
    state->chunks.push_back(
        make_chunks(state->image, tuning, share(shape.batch * state->image.pixels, part, state->split.row_parts)));
  }
  for (const std::vector<Chunk>& chunks : state->chunks) {
    state->items.emplace_back();
    for (const Chunk& chunk : chunks) {
      for (const Range& group : groups_of(shape, tuning.blocks)) state->items.back().push_back({&chunk, group});
    }
  }
  return state;
}

// What one member of the team works on.
struct Work {
  const State& state;
  const float* source;
  const float* weights;
  const float* bias;
  const float* residual;
  float* result;

  // The first row of the weights of a group for a stripe.
  std::int64_t weight_row(const Range& group, std::int64_t stripe) const {
    const ConvShape& s = state.shape;
    const std::int64_t tiles = ceil_div(s.out_channels, kTileRows);
    return weight_rows(s, group.first) * tiles + weight_rows(s, group.size()) * stripe * 2;
  }
};

// Finishes and stores the sums of some pixels of a piece for one stripe, a few at a time.
class Storer {
 public:
  Storer() = default;
  Storer(const Work& work, const Piece& piece, const Range& pixels, std::int64_t stripe, const float* sums)
      : work_(&work),
        image_(piece.image),
        channel_(stripe * kStripe),
        pixel_(pixels.first),
        end_(pixels.last),
        sums_(sums) {
    const ConvShape& s = work.state.shape;
    how_ = {.epilogue = work.state.epilogue,
            .sums_stride = kStripe,
            .bias = work.bias != nullptr ? work.bias + channel_ : nullptr,
            .channels = std::min(kStripe, s.out_channels - channel_),
            .residual_stride = s.residual.pixel,
            .result_stride = s.result.pixel};
    start_row();
  }

  bool is_done() const { return pixel_ >= end_; }

  void step(std::int64_t most) {
    const std::int64_t count = std::min(most, row_end_ - pixel_);
    finish(how_, count, sums_, residual_, result_);
    pixel_ += count;
    sums_ += count * kStripe;
    result_ += count * how_.result_stride;
    if (residual_ != nullptr) residual_ += count * how_.residual_stride;
    if (pixel_ == row_end_) start_row();
  }

 private:
  // Goes to the next pixels of a row of the result, past those between rows.
  void start_row() {
    const ConvShape& s = work_->state.shape;
    const std::int64_t pitch = work_->state.image.pitch;
    std::int64_t x = pixel_ % pitch;
    if (x >= s.output[1]) {
      sums_ += (pitch - x) * kStripe;
      pixel_ += pitch - x;
      x = 0;
    }
    const std::int64_t y = pixel_ / pitch;
    row_end_ = std::min(end_, pixel_ + s.output[1] - x);
    const auto at = [&](const ImageStrides& strides) {
      return image_ * strides.image + y * strides.row + x * strides.pixel + channel_;
    };
    result_ = work_->result + at(s.result);
    residual_ = work_->residual != nullptr ? work_->residual + at(s.residual) : nullptr;
  }

  const Work* work_ = nullptr;
  Finish how_;
  std::int64_t image_ = 0;
  std::int64_t channel_ = 0;
  std::int64_t pixel_ = 0;
  std::int64_t end_ = 0;
  std::int64_t row_end_ = 0;
  const float* sums_ = nullptr;
  const float* residual_ = nullptr;
  float* result_ = nullptr;
};

// Does all steps of a task, evenly over so many calls.
template <typename Task>
class Spread {
 public:
  void start(const Task& task, std::int64_t calls) {
    task_ = task;
    calls_ = calls;
    due_ = 0;
  }
  void run() {
    for (due_ += task_.count(); due_ >= calls_ && !task_.is_done(); due_ -= calls_) task_.step();
  }
  void finish() {
    while (!task_.is_done()) task_.step();
  }

 private:
  Task task_;
  std::int64_t calls_ = 1;
  std::int64_t due_ = 0;
};

// What is done while tiles multiply: splitting the next input and the next weights, storing the last sums.
struct Meanwhile {
  Spread<Splitter> input;
  Spread<WeightSplitter> weights;
  Storer storer;
  std::int64_t stored_at_once = 1;
  // What is fetched.
  const float* next = nullptr;
  std::int64_t lines = 0;

  // The next `calls` calls store all that `last` has.
  void start_storing(const Storer& last, std::int64_t calls) {
    storer = last;
    stored_at_once = std::max<std::int64_t>(2, ceil_div(kStripe, calls));
  }
  void finish_storing() {
    while (!storer.is_done()) storer.step(kStripe);
  }

  static void run(void* self) { static_cast<Meanwhile*>(self)->run(); }

 private:
  void run() {
    for (std::int64_t i = 0; i < lines; ++i, next += kLineFloats) __builtin_prefetch(next, 0, 2);
    if (!storer.is_done()) storer.step(stored_at_once);
    weights.run();
    input.run();
  }
};

class Member {
 public:
  Member(const Work& work, Line* scratch, const Range& stripes)
      : work_(work), state_(work.state), scratch_(scratch), stripes_(stripes) {}

  void run(std::span<const Item> items) {
    if (items.empty() || stripes_.size() == 0) return;
    meanwhile_.input.start(splitter_of(items[0], 0), 1);
    if (state_.tuning.splits_weights) meanwhile_.weights.start(weights_of(items[0], stripes_.first), 1);
    for (std::size_t i = 0; i < items.size(); ++i) {
      meanwhile_.input.finish();
      const Item* next = i + 1 < items.size() ? &items[i + 1] : nullptr;
      meanwhile_.input.start(next != nullptr ? splitter_of(*next, i + 1) : Splitter(),
                             stripes_.size() * calls_of_stripe(items[i]));
      multiply(items[i], next, input_of(i));
    }
    meanwhile_.finish_storing();
  }

 private:
  // Two take turns.
  Line* input_of(std::size_t item) const {
    return scratch_ + static_cast<std::int64_t>(item % 2) * state_.scratch.input / 2;
  }
  const float* packed_weights(const Item& item, std::int64_t stripe) const {
    return work_.weights + work_.weight_row(item.group, stripe) * row_floats(state_.tuning);
  }
  // Where those of the stripe being multiplied are split to, or those of the next one.
  Line* split_weights(std::int64_t turn) const {
    return scratch_ + state_.scratch.input + state_.scratch.sums + turn * state_.scratch.weights / 2;
  }

  Splitter splitter_of(const Item& item, std::size_t index) const {
    return {state_.shape, state_.image,
            *item.chunk,  item.group,
            work_.source, {.lines = input_of(index), .part_lines = state_.part_lines, .parts = state_.tuning.parts}};
  }

  WeightSplitter weights_of(const Item& item, std::int64_t stripe) const {
    return {packed_weights(item, stripe), steps_of(item), channel_tiles(state_.shape, stripe), state_.tuning.parts,
            split_weights(turn_)};
  }

  static std::int64_t products_of_chunk(const Chunk& chunk) {
    std::int64_t products = 0;
    for (const Piece& piece : chunk) products += ceil_div(piece.pixels.size(), kStripe);
    return products;
  }

  // Blocks of inputs under a tap that a product sums.
  std::int64_t steps_of(const Item& item) const {
    return item.group.size() * static_cast<std::int64_t>(state_.taps.size());
  }
  // Of `meanwhile`, by one product.
  std::int64_t calls_of(const Item& item) const { return steps_of(item) * products_of(state_.tuning.parts); }
  std::int64_t calls_of_stripe(const Item& item) const { return calls_of(item) * products_of_chunk(*item.chunk); }

  void multiply(const Item& item, const Item* next, const Line* input) {
    const std::int64_t products = products_of_chunk(*item.chunk);
    auto* kept = reinterpret_cast<float*>(scratch_ + state_.scratch.input);
    for (std::int64_t stripe = stripes_.first; stripe < stripes_.last; ++stripe) {
      meanwhile_.weights.finish();
      const auto* weights = reinterpret_cast<const Line*>(packed_weights(item, stripe));
      if (state_.tuning.splits_weights) weights = split_weights(turn_);
      turn_ = 1 - turn_;
      prepare_weights(item, next, stripe + 1);
      multiply_stripe(item, stripe, input, weights, kept + (stripe - stripes_.first) * products * kStripe * kStripe);
    }
  }

  // Splits or fetches the weights of a stripe, or of what follows the last one, while those before it are multiplied.
  void prepare_weights(const Item& item, const Item* next, std::int64_t stripe) {
    const bool is_last = stripe == stripes_.last;
    const std::int64_t calls = calls_of_stripe(item);
    if (state_.tuning.splits_weights && (!is_last || next != nullptr)) {
      return meanwhile_.weights.start(is_last ? weights_of(*next, stripes_.first) : weights_of(item, stripe), calls);
    }
    // Behind the weights lie those of the next step.
    meanwhile_.next = is_last && next != nullptr ? packed_weights(*next, stripes_.first) : packed_weights(item, stripe);
    const std::int64_t rows = channel_tiles(state_.shape, stripe - 1) * weight_rows(state_.shape, item.group.size());
    meanwhile_.lines = ceil_div(rows * row_floats(state_.tuning), kLineFloats * calls);
  }

  void multiply_stripe(const Item& item, std::int64_t stripe, const Line* input, const Line* weights, float* kept) {
    const std::int64_t tiles = channel_tiles(state_.shape, stripe);
    TileProduct product{.part_lines = state_.part_lines,
                        .block_lines = state_.part_lines * state_.tuning.parts,
                        .taps = state_.taps.data(),
                        .tap_count = static_cast<std::int64_t>(state_.taps.size()),
                        .blocks = item.group.size(),
                        .b = weights,
                        .stride = kStripe,
                        .adds = item.group.first > 0,
                        .meanwhile = Meanwhile::run,
                        .state = &meanwhile_};
    for (const Piece& piece : *item.chunk) {
      for (std::int64_t pixel = piece.pixels.first; pixel < piece.pixels.last; pixel += kStripe) {
        const std::int64_t end = std::min(piece.pixels.last, pixel + kStripe);
        product.a = input + piece.line + pixel - piece.pixels.first;
        product.sums = state_.scratch.sums > 0 ? kept : sums_[sums_turn_].data();
        amx::multiply(state_.tuning.parts, ceil_div(end - pixel, kTileRows), tiles)(product);
        meanwhile_.finish_storing();
        if (item.group.last == blocks_of(state_.shape)) {
          meanwhile_.start_storing(Storer(work_, piece, {pixel, end}, stripe, product.sums), calls_of(item));
        }
        sums_turn_ = 1 - sums_turn_;
        kept += kStripe * kStripe;
      }
    }
  }

  const Work& work_;
  const State& state_;
  Line* scratch_;
  Range stripes_;
  Meanwhile meanwhile_;
  alignas(64) std::array<std::array<float, kStripe * kStripe>, 2> sums_;
  std::int64_t sums_turn_ = 0;
  std::int64_t turn_ = 0;  // of split weights
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const ConvShape& s = state.shape;
  const Work work{.state = state,
                  .source = reinterpret_cast<const float*>(addresses[0]),
                  .weights = reinterpret_cast<const float*>(addresses[1]),
                  .bias = s.has_bias ? reinterpret_cast<const float*>(addresses[2]) : nullptr,
                  .residual = s.has_residual ? reinterpret_cast<const float*>(addresses[3]) : nullptr,
                  .result = reinterpret_cast<float*>(addresses[state.result_address])};
  auto* scratch = reinterpret_cast<Line*>(addresses[state.result_address + 1]) + team.index * state.scratch.total();
  const Tiles tiles;
  const std::int64_t shares = state.split.row_parts * state.split.column_parts;
  for (std::int64_t part = team.index; part < shares; part += team.count) {
    const Range stripes = share(stripes_of(s), part % state.split.column_parts, state.split.column_parts);
    Member(work, scratch, stripes).run(state.items[part / state.split.column_parts]);
  }
}

}  // namespace

bool applies(const ConvShape& shape, const Target& target) {
  return target.isa >= Isa::amx && has_simple_activation(shape.op.activation) && shape.op.groups == 1 &&
         shape.in_channels > 0 && shape.out_channels > 0 && shape.output[0] > 0 && shape.output[1] > 0 &&
         shape.source.pixel > 0 && shape.result.pixel > 0;
}

std::vector<Tuning> choose(const ConvShape& shape, const Target& target, Accuracy accuracy) {
  constexpr std::int64_t kFewPixels = 4 * kStripe;
  constexpr std::int64_t kDeep = 8;
  Tuning tuning{
      .isa = target.isa, .parts = accuracy == Accuracy::fast ? 2 : 3, .pixels = 0, .blocks = blocks_of(shape)};
  const Image image(shape, kStripe);
  const std::int64_t all = round_up(shape.batch * image.pixels, kStripe);
  const std::int64_t line_bytes = image.phases() * tuning.parts * kLineBytes;  // of a pixel and a block of inputs
  const std::int64_t budget = target.l2_bytes / 4;                             // of the split input of a chunk
  const std::int64_t weights = weights_bytes(shape, tuning);
  if (window(shape) == 1 && weights <= target.l2_bytes / 2) {
    // Weights stay in L2, where every chunk reads them; the chunk's input is near L1.
    tuning.pixels = kFewPixels;
    tuning.blocks = std::min(tuning.blocks, kDeep);
  } else if (weights <= budget) {
    tuning.pixels = budget / (line_bytes * tuning.blocks) - image.reach();
  } else {
    // Weights are read once: all pixels meet them, a few blocks of inputs at a time.
    const std::int64_t sum_bytes = stripes_of(shape) * kStripe * static_cast<std::int64_t>(sizeof(float));
    tuning.pixels = std::min({all, target.l2_bytes / 2 / sum_bytes, budget / line_bytes - image.reach()});
    tuning.pixels = std::max(tuning.pixels, kFewPixels);
    tuning.blocks = std::clamp<std::int64_t>(budget / (line_bytes * (tuning.pixels + image.reach())), 1, tuning.blocks);
  }
  // A stripe's weights stay in L2 while all products meet them and the next ones arrive. Equal groups.
  const std::int64_t step_bytes = weight_rows(shape, 1) * 2 * tuning.parts * kLineBytes;
  tuning.blocks = std::clamp<std::int64_t>(target.l2_bytes / 10 / step_bytes, 1, tuning.blocks);
  tuning.blocks = ceil_div(blocks_of(shape), ceil_div(blocks_of(shape), tuning.blocks));
  tuning.pixels = std::clamp(round_up(tuning.pixels, kStripe), std::min(all, kFewPixels), all);
  std::vector<Tuning> ways{tuning};
  if (tuning.parts == 3) {
    tuning.splits_weights = true;
    ways.push_back(tuning);
    if (estimate_ns(shape, ways[1], target) < estimate_ns(shape, ways[0], target)) std::swap(ways[0], ways[1]);
  }
  return ways;
}

std::vector<std::int64_t> to_numbers(const Tuning& tuning) {
  return {static_cast<std::int64_t>(tuning.isa), tuning.parts, tuning.pixels, tuning.blocks,
          tuning.splits_weights ? 1 : 0};
}

Tuning tuning_from(std::span<const std::int64_t> numbers) {
  DEEPER_CHECK(numbers.size() == 5 && (numbers[1] == 2 || numbers[1] == 3) && numbers[2] > 0 && numbers[3] > 0,
               "tuning of an amx step");
  return {.isa = static_cast<Isa>(numbers[0]),
          .parts = static_cast<int>(numbers[1]),
          .pixels = numbers[2],
          .blocks = numbers[3],
          .splits_weights = numbers[4] != 0};
}

std::string describe(const Tuning& tuning) {
  return fmt::format("BF16x{} pixels {} blocks {}{}", tuning.parts, tuning.pixels, tuning.blocks,
                     tuning.splits_weights ? " split" : "");
}

std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads) {
  return scratch_of(shape, tuning).total() * kLineBytes * threads;
}

double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target) {
  return best_split(shape, tuning, target.threads).ns;
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "amx step '" + step.name + "' is not a convolution of NHWC images");
  std::shared_ptr<State> state = make_state(*shape, tuning_from(step.tuning), threads);
  state->result_address = step.operands.size();
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::amx
