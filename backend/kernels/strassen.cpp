#include "backend/kernels/strassen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "backend/kernels/conv_memory.h"
#include "backend/kernels/epilogue.h"
#include "backend/kernels/product.h"
#include "backend/kernels/rounding.h"
#include "backend/kernels/strassen_sums.h"
#include "ir/error.h"

namespace deeper::backend::strassen {
namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kLine = 16;  // floats in a cache line
constexpr std::int64_t kProducts = 7;
constexpr std::int64_t kSums = 4;  // of quarters of the input

// Quarters of the input [lower or upper channels][even or odd pixels], then their sums as sum_quarters numbers them.
enum class Input : std::uint8_t { lower_even, lower_odd, upper_even, upper_odd, t1, t2, t3, t4 };
// Quarters of the result, likewise; and two blocks of sums that several of them need.
enum class Sums : std::uint8_t { lower_even, lower_odd, upper_even, upper_odd, common, both_odd };

// A product: weights as pack_weights orders them, and where its sums go.
struct Term {
  Input input;
  Sums to;
  bool adds = false;         // to what is there
  bool adds_common = false;  // the common sums
  bool keeps = false;        // them, for the products that follow
  bool adds_both_odd = false;
};
constexpr std::array<Term, kProducts> kTerms{{
    {.input = Input::lower_even, .to = Sums::common},
    {.input = Input::upper_even, .to = Sums::lower_even, .adds_common = true},
    {.input = Input::t2, .to = Sums::common, .adds = true},
    {.input = Input::t1, .to = Sums::both_odd},
    {.input = Input::upper_odd, .to = Sums::lower_odd, .adds_common = true, .adds_both_odd = true},
    {.input = Input::t3, .to = Sums::upper_odd, .adds_common = true, .keeps = true, .adds_both_odd = true},
    {.input = Input::t4, .to = Sums::upper_even, .adds_common = true},
}};

// The left sides of the products, in their order: quarters of the weights [lower or upper outputs][inputs].
std::array<double, kProducts> left_sides(double a11, double a12, double a21, double a22) {
  const double s1 = a21 + a22;
  const double s2 = s1 - a11;
  return {a11, a12, s2, s1, a12 - s2, a11 - a21, -a22};
}

struct Slice {
  std::int64_t channel = 0;  // of the lower half, or of those left over
  std::int64_t rows = 0;
  std::int64_t weights = 0;  // offset
  Isa isa = Isa::avx2;
};

struct Division {
  std::int64_t half = 0;      // output channels of each half
  std::vector<Slice> halves;  // slices of the lower half, and of the upper one meanwhile
  std::vector<Slice> rest;  // of the channels that two halves of whole vectors leave over; with the last of the halves
};

// What a slice takes, in quarter products: one of the halves, or of the rest, which has no such saving.
std::int64_t work_of(const Slice& slice, bool is_half) { return slice.rows * (is_half ? kProducts : 4); }

// The slices of the halves that end nearest to an even share of the work.
Range share_slices(const Division& division, std::int64_t part, std::int64_t parts) {
  std::int64_t all = 0;
  for (const Slice& slice : division.halves) all += work_of(slice, true);
  for (const Slice& slice : division.rest) all += work_of(slice, false);
  const auto cut = [&](std::int64_t end) {
    if (end == parts) return static_cast<std::int64_t>(division.halves.size());
    std::int64_t count = 0;
    std::int64_t before = 0;
    for (const Slice& slice : division.halves) {
      const std::int64_t work = work_of(slice, true);
      if ((2 * before + work) * parts > 2 * all * end) break;
      before += work;
      ++count;
    }
    return count;
  };
  return {cut(part), cut(part + 1)};
}

Division divide(const ConvShape& shape, const Tuning& tuning) {
  const Isa isa = tuning.isa;
  const std::int64_t lanes = product_kernels(isa).lanes;
  Division division{.half = shape.out_channels / (2 * lanes) * lanes, .halves = {}, .rest = {}};
  const std::int64_t depth = shape.in_channels / 2;
  std::int64_t channel = 0;
  std::int64_t weights = 0;
  for (std::int64_t part = tuning.parts; part-- > 0;) {  // the larger ones first: the last has the rest too
    const std::int64_t vectors = share(division.half / lanes, part, tuning.parts).size();
    for (const std::int64_t rows : product_slices(vectors * lanes, depth, isa)) {
      division.halves.push_back({.channel = channel, .rows = rows, .weights = weights, .isa = isa});
      channel += rows;
      weights += kProducts * depth * rows;
    }
  }
  for (channel *= 2; channel < shape.out_channels;) {
    const bool is_whole = channel + lanes <= shape.out_channels;
    const std::int64_t rows = is_whole ? lanes : product_kernels(Isa::avx2).lanes;
    division.rest.push_back({.channel = channel, .rows = rows, .weights = weights, .isa = is_whole ? isa : Isa::avx2});
    channel += rows;
    weights += shape.in_channels * rows;
  }
  return division;
}

bool is_flat(const ImageStrides& image, const ir::Extent2& extent) {
  return image.pixel > 0 && image.row == extent[1] * image.pixel && image.image == extent[0] * image.row;
}

std::int64_t pixel_count(const ConvShape& shape) { return shape.batch * shape.output[0] * shape.output[1]; }

// Sizes of a thread's scratch, in floats.
struct Layout {
  std::int64_t sum = 0;        // of quarters of the input: from one to the next
  std::int64_t common = 0;     // where the common sums start
  std::int64_t both_odd = 0;   // where those of both odd quarters start
  std::int64_t discarded = 0;  // where the results of a pixel that is not there go
  std::int64_t total = 0;
};

Layout make_layout(const ConvShape& shape, const Tuning& tuning, const Division& division) {
  const std::int64_t pairs = ceil_div(tuning.pixels, 2);
  std::int64_t rows = 0;
  for (const Slice& slice : division.halves) rows = std::max(rows, slice.rows);
  Layout layout{.sum = round_up(pairs * shape.in_channels / 2, kLine)};
  layout.common = kSums * layout.sum;
  layout.both_odd = layout.common + pairs * rows;
  layout.discarded = layout.both_odd + pairs * rows;
  layout.total = round_up(layout.discarded + rows, kLine);
  return layout;
}

struct State {
  ConvShape shape;
  Epilogue epilogue;
  bool has_epilogue = false;
  Isa isa = Isa::avx2;
  std::int64_t pixels = 0;
  Division division;
  Layout layout;
  Split split;
  std::vector<float> zeros;
  ConvAddresses addresses;
};

// Columns of a product: pixels, `step` floats apart; those from `count` on are not there.
template <typename T>
struct Columns {
  T* first = nullptr;
  std::int64_t step = 0;
  std::int64_t count = 0;
};

// What one member of the team works on.
struct Work : ConvMemory {
  const State& state;

  // Pixels of the turn.
  std::int64_t first = 0;
  std::int64_t count = 0;

  std::int64_t pairs() const { return (count + 1) / 2; }

  // Every second pixel of the turn from the first or the second one on, from `channel` on.
  template <typename T>
  Columns<T> pixels_of(T* image, std::int64_t pixel, bool is_odd, std::int64_t channel) const {
    return {.first = image + (first + (is_odd ? 1 : 0)) * pixel + channel,
            .step = 2 * pixel,
            .count = is_odd ? count / 2 : pairs()};
  }

  Columns<const float> columns_of(Input input) const {
    const std::int64_t half = state.shape.in_channels / 2;
    const auto index = static_cast<std::int64_t>(input);
    if (input >= Input::t1) {
      return {.first = scratch + (index - static_cast<std::int64_t>(Input::t1)) * state.layout.sum,
              .step = half,
              .count = pairs()};
    }
    return pixels_of(source, state.shape.source.pixel, index % 2 != 0, index / 2 * half);
  }

  void sum_inputs() const {
    const SumQuarters sum = sum_quarters(state.isa);
    const std::int64_t half = state.shape.in_channels / 2;
    const std::int64_t pixel = state.shape.source.pixel;
    for (std::int64_t pair = 0; pair < pairs(); ++pair) {
      const float* even = source + (first + 2 * pair) * pixel;
      const bool has_odd = 2 * pair + 1 < count;
      const float* odd = has_odd ? even + pixel : state.zeros.data();
      const Quarters quarters{
          .lower_even = even, .lower_odd = odd, .upper_even = even + half, .upper_odd = has_odd ? odd + half : odd};
      sum(quarters, half, scratch + pair * half, state.layout.sum);
    }
  }

  // A product of `depth` channels of `in`, which goes to `out` as `block` says.
  void multiply(const float* a, const Slice& slice, std::int64_t depth, const Columns<const float>& in,
                const Columns<float>& out, const Columns<const float>& other, ProductBlock block) const {
    const std::int64_t all = std::max(in.count, out.count);
    if (all == 0) return;
    const ProductKernels& kernels = product_kernels(slice.isa);
    const std::int64_t vectors = slice.rows / kernels.lanes;
    const std::int64_t blocks = ceil_div(all, kernels.most_columns[vectors - 1]);
    constexpr std::int64_t kNoTaps = 0;
    block.taps = &kNoTaps;
    block.a = a;
    block.depth = depth;
    FetchAhead ahead(a + depth * slice.rows, slice.rows, depth, blocks);
    for (std::int64_t i = 0; i < blocks; ++i) {
      const Range columns = share(all, i, blocks);
      for (std::int64_t j = columns.first; j < columns.last; ++j) {
        const std::int64_t at = j - columns.first;
        block.columns[at] = j < in.count ? in.first + j * in.step : state.zeros.data();
        block.results[at] = j < out.count ? out.first + j * out.step : scratch + state.layout.discarded;
        if (!block.has_residuals) continue;
        block.residuals[at] = j < other.count ? other.first + j * other.step : state.zeros.data();
      }
      ahead.give(block);
      kernels.multiply[vectors - 1][columns.size() - 1](block);
      const std::int64_t sums = columns.size() * slice.rows;
      for (const float*& dense : block.others) dense = dense != nullptr ? dense + sums : nullptr;
      if (block.kept != nullptr) block.kept += sums;
    }
  }

  void set_epilogue(ProductBlock& block, std::int64_t channel) const {
    block.epilogue = state.has_epilogue ? &state.epilogue : nullptr;
    block.bias = bias != nullptr ? bias + channel : nullptr;
    block.has_residuals = residual != nullptr;
  }

  void multiply_term(const Term& term, const Slice& slice, const float* a) const {
    float* common = scratch + state.layout.common;
    float* both_odd = scratch + state.layout.both_odd;
    ProductBlock end;
    end.adds = term.adds;
    if (term.adds_common) end.others[0] = common;
    if (term.adds_both_odd) end.others[1] = both_odd;
    if (term.keeps) end.kept = common;
    const std::int64_t half = state.shape.in_channels / 2;
    if (term.to >= Sums::common) {
      const Columns<float> out{
          .first = term.to == Sums::common ? common : both_odd, .step = slice.rows, .count = pairs()};
      multiply(a, slice, half, columns_of(term.input), out, {}, end);
      return;
    }
    const auto index = static_cast<std::int64_t>(term.to);
    const std::int64_t channel = slice.channel + index / 2 * state.division.half;
    const bool is_odd = index % 2 != 0;
    set_epilogue(end, channel);
    Columns<const float> other;
    if (residual != nullptr) other = pixels_of(residual, state.shape.residual.pixel, is_odd, channel);
    multiply(a, slice, half, columns_of(term.input), pixels_of(result, state.shape.result.pixel, is_odd, channel),
             other, end);
  }

  void multiply_rest(const Slice& slice) const {
    const ConvShape& s = state.shape;
    ProductBlock end;
    set_epilogue(end, slice.channel);
    Columns<const float> other;
    if (residual != nullptr) {
      other = {.first = residual + first * s.residual.pixel + slice.channel, .step = s.residual.pixel, .count = count};
    }
    multiply(weights + slice.weights, slice, s.in_channels,
             {.first = source + first * s.source.pixel, .step = s.source.pixel, .count = count},
             {.first = result + first * s.result.pixel + slice.channel, .step = s.result.pixel, .count = count}, other,
             end);
  }

  void run(const Range& pixels, const Range& slices) {
    const std::int64_t turns = ceil_div(pixels.size(), state.pixels);
    for (std::int64_t turn = 0; turn < turns; ++turn) {
      const Range now = share(pixels.size(), turn, turns);
      first = pixels.first + now.first;
      count = now.size();
      sum_inputs();
      for (std::int64_t i = slices.first; i < slices.last; ++i) {
        const Slice& slice = state.division.halves[i];
        const float* a = weights + slice.weights;
        for (const Term& term : kTerms) {
          multiply_term(term, slice, a);
          a += state.shape.in_channels / 2 * slice.rows;
        }
      }
      const bool is_last = slices.last == static_cast<std::int64_t>(state.division.halves.size());
      if (!is_last) continue;
      for (const Slice& slice : state.division.rest) multiply_rest(slice);
    }
  }
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const ConvShape& s = state.shape;
  Work work{state.addresses.of(addresses, team), state};
  const std::int64_t columns = state.split.column_parts;
  work.run(share(pixel_count(s), team.index / columns, state.split.row_parts),
           share_slices(state.division, team.index % columns, columns));
}

// Time of the member that has most to do.
double member_ns(const ConvShape& shape, const Division& division, const Tuning& tuning, const Split& split,
                 const Costs& costs) {
  const Costs::Strassen& own = costs.strassen;
  const std::int64_t pixels = ceil_div(pixel_count(shape), split.row_parts);
  const std::int64_t turns = ceil_div(pixels, tuning.pixels);
  const std::int64_t depth = shape.in_channels / 2;
  const std::int64_t pairs = ceil_div(ceil_div(pixels, turns), 2) * turns;
  const auto lanes = static_cast<double>(product_kernels(tuning.isa).lanes);
  double all = 0;
  double most = 0;  // of one part of the slices
  for (std::int64_t part = 0; part < split.column_parts; ++part) {
    const Range slices = share_slices(division, part, split.column_parts);
    double cycles = 0;
    for (std::int64_t i = slices.first; i < slices.last; ++i) {
      const std::int64_t rows = division.halves[i].rows;
      cycles += kProducts * (product_cycles(rows, pairs, depth, tuning.isa, costs) +
                             own.sum_cycles * static_cast<double>(pairs * rows) / lanes);
    }
    const bool is_last = part + 1 == split.column_parts;
    for (const Slice& slice : is_last ? std::span(division.rest) : std::span<const Slice>()) {
      cycles += product_cycles(slice.rows, pixels, shape.in_channels, tuning.isa, costs);
    }
    all += cycles;
    most = std::max(most, cycles);
  }
  const double cycles = most + static_cast<double>(pairs * depth) / lanes * own.input_cycles;
  const double weights = static_cast<double>(weights_bytes(shape, tuning)) * most / all;
  const double bytes_per_ns = costs.weights_bytes_per_ns(own.memory_bytes_per_ns, split.row_parts, split.column_parts);
  const double fetch = weights * (1 / bytes_per_ns + static_cast<double>(turns - 1) / costs.again_bytes_per_ns);
  return costs.overlapped(cycles / costs.gigahertz + own.exposed_fetch * fetch, fetch);
}

}  // namespace

bool applies(const ConvShape& shape, const Target& target) {
  if (target.isa == Isa::sse41 || !has_simple_activation(shape.op.activation)) return false;
  const std::int64_t least = 2 * product_kernels(target.isa).lanes;
  const bool is_flat_residual = !shape.has_residual || is_flat(shape.residual, shape.output);
  return shape.kernel == ir::Extent2{1, 1} && shape.op.strides == ir::Extent2{1, 1} &&
         shape.op.pads == ir::Pads{0, 0, 0, 0} && shape.op.groups == 1 && shape.input == shape.output &&
         shape.in_channels % 2 == 0 && shape.in_channels >= least && shape.out_channels >= least &&
         shape.out_channels % product_kernels(Isa::avx2).lanes == 0 && pixel_count(shape) > 1 &&
         is_flat(shape.source, shape.input) && is_flat(shape.result, shape.output) && is_flat_residual;
}

std::vector<Tuning> choose(const ConvShape& shape, const Target& target) {
  // The pixels' part of the source and the sums of its quarters stay in three quarters of L2, but weights are to meet
  // enough pixels to hide their fetching.
  constexpr std::int64_t kFewest = 96;
  const std::int64_t most = std::max(kFewest, target.l2_bytes * 5 / 4 / (2 * shape.in_channels * kFloat));
  std::int64_t all = pixel_count(shape);
  if (all > most) all = ceil_div(all, target.threads);  // else a member may have them all, of its output channels
  const std::int64_t pixels = ceil_div(all, ceil_div(all, most));
  std::vector<Tuning> ways{{.isa = target.isa, .pixels = round_up(pixels, 2)}};
  const std::int64_t vectors = shape.out_channels / (2 * product_kernels(target.isa).lanes);
  if (target.threads == 1 || vectors < 2 * target.threads) return ways;
  ways.push_back(ways.front());
  ways.back().parts = target.threads;
  return ways;
}

std::vector<std::int64_t> to_numbers(const Tuning& tuning) {
  return {static_cast<std::int64_t>(tuning.isa), tuning.pixels, tuning.parts};
}

Tuning tuning_from(std::span<const std::int64_t> numbers) {
  DEEPER_CHECK(numbers.size() == 3 && numbers[1] > 0 && numbers[2] > 0, "tuning of a strassen step");
  return {.isa = static_cast<Isa>(numbers[0]), .pixels = numbers[1], .parts = numbers[2]};
}

std::string describe(const Tuning& tuning) {
  const std::string text = fmt::format("<2,2,2;7> pixels {}", tuning.pixels);
  return tuning.parts > 1 ? fmt::format("{} parts {}", text, tuning.parts) : text;
}

TeamSplit choose_split(const ConvShape& shape, const Tuning& tuning, std::int64_t threads, const Costs& costs) {
  const Division division = divide(shape, tuning);
  return fastest_split(shape, threads, static_cast<std::int64_t>(division.halves.size()), costs.others_bytes_per_ns,
                       [&](const Split& split) { return member_ns(shape, division, tuning, split, costs); });
}

std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights) {
  const std::int64_t inputs = shape.in_channels;
  DEEPER_CHECK(static_cast<std::int64_t>(weights.size()) == shape.out_channels * inputs, "packing weights");
  const Division division = divide(shape, tuning);
  const std::int64_t depth = inputs / 2;
  std::vector<float> packed(static_cast<std::size_t>(weights_bytes(shape, tuning) / kFloat));
  const auto at = [&](std::int64_t output, std::int64_t input) {
    return static_cast<double>(weights[output * inputs + input]);
  };
  for (const Slice& slice : division.halves) {
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t row = 0; row < slice.rows; ++row) {
        const std::int64_t lower = slice.channel + row;
        const std::int64_t upper = lower + division.half;
        const auto lefts = left_sides(at(lower, k), at(lower, depth + k), at(upper, k), at(upper, depth + k));
        for (std::int64_t product = 0; product < kProducts; ++product) {
          packed[slice.weights + (product * depth + k) * slice.rows + row] = static_cast<float>(lefts[product]);
        }
      }
    }
  }
  for (const Slice& slice : division.rest) {
    for (std::int64_t k = 0; k < inputs; ++k) {
      for (std::int64_t row = 0; row < slice.rows; ++row) {
        packed[slice.weights + k * slice.rows + row] = weights[(slice.channel + row) * inputs + k];
      }
    }
  }
  return packed;
}

std::int64_t weights_bytes(const ConvShape& shape, const Tuning& tuning) {
  const std::int64_t half = divide(shape, tuning).half;
  return (kProducts * half * shape.in_channels / 2 + (shape.out_channels - 2 * half) * shape.in_channels) * kFloat;
}

std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads) {
  return make_layout(shape, tuning, divide(shape, tuning)).total * threads * kFloat;
}

double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target) {
  return choose_split(shape, tuning, target.threads, costs_of(target.machine, target.isa)).ns;
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "strassen step '" + step.name + "' is not a convolution of NHWC images");
  const Tuning tuning = tuning_from(step.tuning);
  auto state = std::make_shared<State>();
  state->shape = *shape;
  state->epilogue = make_epilogue(shape->op.activation);
  state->has_epilogue =
      shape->has_bias || shape->has_residual || shape->op.activation.function != ir::Function::identity;
  state->isa = tuning.isa;
  state->pixels = tuning.pixels;
  state->division = divide(*shape, tuning);
  state->layout = make_layout(*shape, tuning, state->division);
  state->split = choose_split(*shape, tuning, threads, costs_of(this_machine(), tuning.isa)).split;
  state->zeros.assign(std::max(shape->in_channels, shape->out_channels), 0.0F);
  state->addresses = ConvAddresses(*shape, step, threads);
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::strassen
