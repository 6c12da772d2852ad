#include "backend/kernels/direct.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "backend/kernels/conv_memory.h"
#include "backend/kernels/epilogue.h"
#include "backend/kernels/native_pool.h"
#include "backend/kernels/product.h"
#include "backend/kernels/split.h"
#include "ir/error.h"

namespace deeper::backend::direct {
namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kFewPixels = 96;

bool has_padding(const ConvShape& shape) { return shape.op.pads != ir::Pads{0, 0, 0, 0}; }

std::int64_t window(const ConvShape& shape) { return shape.kernel[0] * shape.kernel[1]; }

bool prefers_channel_split(const ConvShape& shape) {
  return shape.out_channels * window(shape) > shape.batch * shape.input[0] * shape.input[1];
}

struct Slice {
  std::int64_t channel = 0;
  std::int64_t rows = 0;
  std::int64_t vectors = 0;  // of itself and the slices before
};

std::vector<Slice> make_slices(const ConvShape& shape, Isa isa) {
  std::vector<Slice> slices;
  const std::int64_t lanes = product_kernels(isa).lanes;
  const std::int64_t whole = shape.out_channels / lanes * lanes;
  std::int64_t channel = 0;
  for (const std::int64_t rows : product_slices(whole, shape.in_channels * window(shape), isa)) {
    channel += rows;
    slices.push_back({.channel = channel - rows, .rows = rows, .vectors = channel / lanes});
  }
  if (whole < shape.out_channels) {
    slices.push_back({.channel = whole, .rows = shape.out_channels - whole, .vectors = whole / lanes + 1});
  }
  return slices;
}

// Eight channels that are left over are a vector of AVX2.
Isa isa_of(const Slice& slice, Isa isa) { return slice.rows % product_kernels(isa).lanes == 0 ? isa : Isa::avx2; }

// A copied or pooled image: as many rows as the output rows of one turn read, with their padding, without gaps.
struct Copy {
  std::int64_t width = 0;  // pixels of a row
  std::int64_t rows = 0;
};

Copy copy_of(const ConvShape& shape, const Tuning& tuning) {
  const std::int64_t out_rows = tuning.pixels / shape.output[1];
  return {.width = shape.input[1] + shape.op.pads[1] + shape.op.pads[3],
          .rows = (out_rows - 1) * shape.op.strides[0] + (shape.kernel[0] - 1) * shape.op.dilations[0] + 1};
}

std::int64_t scratch_floats(const ConvShape& shape, const Tuning& tuning, bool pools) {
  if (!has_padding(shape) && !pools) return 0;
  const Copy copy = copy_of(shape, tuning);
  constexpr std::int64_t kLine = 16;
  return (copy.width * copy.rows * shape.in_channels + kLine - 1) / kLine * kLine;
}

std::int64_t whole_rows(const ConvShape& shape, std::int64_t pixels) {
  return std::clamp<std::int64_t>(pixels / shape.output[1], 1, shape.output[0]) * shape.output[1];
}

struct State {
  ConvShape shape;
  Epilogue epilogue;
  bool has_epilogue = false;
  bool copies = false;  // or pools
  std::optional<native::RowPool> pool;
  ImageStrides unpooled;
  Range unpooled_rows;  // of an image
  Copy copy;
  std::int64_t pixels = 0;
  ImageStrides source;  // of what the products read
  std::vector<std::int64_t> taps;
  std::int64_t depth = 0;
  // Sums the depth in parts whose weights stay in L1, and keeps what is not finished in the result: where few pixels
  // meet each weight.
  bool sums_in_parts = false;
  std::vector<Slice> slices;
  Isa isa = Isa::avx2;
  bool prefer_channel_split = false;
  ConvAddresses addresses;
};

// Offsets of the taps; those of a kernel's row are one where they lie side by side.
void set_taps(State& state) {
  const ConvShape& s = state.shape;
  const bool merges = state.source.pixel == s.in_channels && s.op.dilations[1] == 1;
  state.depth = merges ? s.in_channels * s.kernel[1] : s.in_channels;
  for (std::int64_t y = 0; y < s.kernel[0]; ++y) {
    for (std::int64_t x = 0; x < (merges ? 1 : s.kernel[1]); ++x) {
      state.taps.push_back(y * s.op.dilations[0] * state.source.row + x * s.op.dilations[1] * state.source.pixel);
    }
  }
}

std::shared_ptr<State> make_state(const ConvShape& shape, const Tuning& tuning, bool pools) {
  auto state = std::make_shared<State>();
  state->shape = shape;
  state->epilogue = make_epilogue(shape.op.activation);
  state->has_epilogue = shape.has_bias || shape.has_residual || shape.op.activation.function != ir::Function::identity;
  state->copies = has_padding(shape) || pools;
  state->pixels = tuning.pixels;
  state->source = shape.source;
  if (state->copies) {
    state->copy = copy_of(shape, tuning);
    state->source = {.image = 0, .row = state->copy.width * shape.in_channels, .pixel = shape.in_channels};
  }
  set_taps(*state);
  state->sums_in_parts = state->taps.size() == 1 && !shape.residual_in_place &&
                         shape.batch * shape.output[0] * shape.output[1] <= kFewPixels;
  state->slices = make_slices(shape, tuning.isa);
  state->isa = tuning.isa;
  state->prefer_channel_split = prefers_channel_split(shape);
  return state;
}

// A pixel of the result.
struct Pixel {
  std::int64_t image = 0;
  std::int64_t y = 0;
  std::int64_t x = 0;
};

// What one member of the team works on.
struct Work : ConvMemory {
  const State& state;

  Pixel pixel_at(std::int64_t index) const {
    const ir::Extent2& extent = state.shape.output;
    return {.image = index / (extent[0] * extent[1]), .y = index / extent[1] % extent[0], .x = index % extent[1]};
  }

  // Copies the rows that the output rows from `first` on read, with zeros for padding.
  void copy_rows(const Pixel& first) const {
    const ConvShape& s = state.shape;
    const std::int64_t channels = s.in_channels;
    float* to = scratch;
    for (std::int64_t row = 0; row < state.copy.rows; ++row) {
      const std::int64_t y = first.y * s.op.strides[0] - s.op.pads[0] + row;
      float* end = to + state.copy.width * channels;
      if (y < 0 || y >= s.input[0]) {
        to = std::fill_n(to, end - to, 0.0F);
        continue;
      }
      const float* from = source + first.image * s.source.image + y * s.source.row;
      to = std::fill_n(to, s.op.pads[1] * channels, 0.0F);
      for (std::int64_t x = 0; x < s.input[1]; ++x, from += s.source.pixel) to = std::copy_n(from, channels, to);
      to = std::fill_n(to, end - to, 0.0F);
    }
  }

  // Pools what the output rows from `first` on read.
  void pool_rows(const Pixel& first) const {
    const Range rows{first.y, std::min(first.y + state.copy.rows, state.shape.output[0])};
    state.pool->join(source + first.image * state.unpooled.image, state.unpooled_rows, scratch, rows);
  }

  // A walk over the pixels of the result and what they are computed from.
  struct Cursor {
    Pixel pixel;
    const float* source = nullptr;
    float* result = nullptr;
    const float* residual = nullptr;
  };

  Cursor cursor_at(const Pixel& pixel, std::int64_t channel, std::int64_t first_row) const {
    const ConvShape& s = state.shape;
    Cursor cursor{.pixel = pixel};
    const float* image = state.copies ? scratch : source + pixel.image * state.source.image;
    cursor.source = image + (pixel.y - first_row) * s.op.strides[0] * state.source.row +
                    pixel.x * s.op.strides[1] * state.source.pixel;
    cursor.result = result + pixel.image * s.result.image + pixel.y * s.result.row + pixel.x * s.result.pixel + channel;
    if (residual != nullptr) {
      cursor.residual =
          residual + pixel.image * s.residual.image + pixel.y * s.residual.row + pixel.x * s.residual.pixel + channel;
    }
    return cursor;
  }

  void advance(Cursor& cursor, std::int64_t channel, std::int64_t first_row) const {
    const ConvShape& s = state.shape;
    if (++cursor.pixel.x < s.output[1]) {
      cursor.source += s.op.strides[1] * state.source.pixel;
      cursor.result += s.result.pixel;
      if (residual != nullptr) cursor.residual += s.residual.pixel;
      return;
    }
    Pixel next{.image = cursor.pixel.image, .y = cursor.pixel.y + 1, .x = 0};
    if (next.y == s.output[0]) next = {.image = next.image + 1, .y = 0, .x = 0};
    cursor = cursor_at(next, channel, first_row);
  }

  // All pixels of [first, last) for one slice, whose weights are at `a`.
  void multiply(Range pixels, const Slice& slice, const float* a) const {
    const std::int64_t part = state.sums_in_parts
                                  ? part_of_depth(slice.rows, state.depth, std::numeric_limits<std::int64_t>::max())
                                  : state.depth;
    for (std::int64_t k = 0; k < state.depth; k += part) {
      ProductBlock block;
      block.a = a + k * slice.rows;
      block.taps = state.sums_in_parts ? &k : state.taps.data();
      block.tap_count = static_cast<std::int64_t>(state.taps.size());
      block.depth = std::min(part, state.depth - k);
      block.adds = k > 0;
      if (k + part >= state.depth) {
        block.epilogue = state.has_epilogue ? &state.epilogue : nullptr;
        block.bias = bias != nullptr ? bias + slice.channel : nullptr;
        block.has_residuals = residual != nullptr;
      }
      multiply_blocks(pixels, slice, block);
    }
  }

  void multiply_blocks(Range pixels, const Slice& slice, ProductBlock& block) const {
    const ProductKernels& kernels = product_kernels(isa_of(slice, state.isa));
    const std::int64_t vectors = slice.rows / kernels.lanes;
    const std::int64_t most = kernels.most_columns[vectors - 1];
    const std::int64_t count = (pixels.size() + most - 1) / most;
    const std::int64_t depth = block.tap_count * block.depth;
    FetchAhead ahead(block.a + slice.rows * depth, slice.rows, depth, count);
    const Pixel start = pixel_at(pixels.first);
    const std::int64_t first_row = state.copies ? start.y : 0;
    Cursor cursor = cursor_at(start, slice.channel, first_row);
    const std::int64_t each = pixels.size() / count;
    const std::int64_t larger = pixels.size() % count;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t columns = each + (i < larger ? 1 : 0);
      for (std::int64_t j = 0; j < columns; ++j) {
        block.columns[j] = cursor.source;
        block.results[j] = cursor.result;
        block.residuals[j] = cursor.residual;
        advance(cursor, slice.channel, first_row);
      }
      ahead.give(block);
      kernels.multiply[vectors - 1][columns - 1](block);
    }
  }

  // The end of the turn that starts at `first`: a copied turn ends with its image.
  std::int64_t turn_end(std::int64_t first, std::int64_t last) const {
    const std::int64_t end = std::min(last, first + state.pixels);
    if (!state.copies) return end;
    const std::int64_t image = state.shape.output[0] * state.shape.output[1];
    return std::min(end, (first / image + 1) * image);
  }

  // Pixels of slice `index` that are this member's where the team shares vectors of weights: all of them, but for the
  // slices where its share starts and ends.
  Range share_of_slice(std::int64_t index, std::int64_t pixels, runtime::Team team) const {
    const std::int64_t end = state.slices[index].vectors;
    const std::int64_t start = index > 0 ? state.slices[index - 1].vectors : 0;
    const Range vectors = share(state.slices.back().vectors * pixels, team.index, team.count);
    const auto clamped = [&](std::int64_t at) {
      return std::clamp<std::int64_t>((at - start * pixels) / (end - start), 0, pixels);
    };
    return {clamped(vectors.first), clamped(vectors.last)};
  }

  void run_by_channels(std::int64_t pixels, runtime::Team team) const {
    const std::int64_t depth = static_cast<std::int64_t>(state.taps.size()) * state.depth;
    for (std::int64_t first = 0; first < pixels; first += state.pixels) {
      const std::int64_t end = std::min(pixels, first + state.pixels);
      for (std::size_t i = 0; i < state.slices.size(); ++i) {
        const Range shared = share_of_slice(static_cast<std::int64_t>(i), pixels, team);
        const Range part{std::max(first, shared.first), std::min(end, shared.last)};
        if (part.size() > 0) multiply(part, state.slices[i], weights + state.slices[i].channel * depth);
      }
    }
  }

  void run(Range pixels, Range slices) const {
    const std::int64_t depth = static_cast<std::int64_t>(state.taps.size()) * state.depth;
    for (std::int64_t first = pixels.first; first < pixels.last;) {
      const std::int64_t end = turn_end(first, pixels.last);
      if (state.pool) {
        pool_rows(pixel_at(first));
      } else if (state.copies) {
        copy_rows(pixel_at(first));
      }
      for (std::int64_t i = slices.first; i < slices.last; ++i) {
        multiply({first, end}, state.slices[i], weights + state.slices[i].channel * depth);
      }
      first = end;
    }
  }
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const ConvShape& s = state.shape;
  const Work work{state.addresses.of(addresses, team), state};
  const bool divides = static_cast<std::int64_t>(state.slices.size()) % team.count == 0;
  if (state.prefer_channel_split && !divides && !state.copies) {
    work.run_by_channels(s.batch * s.output[0] * s.output[1], team);
    return;
  }
  const std::int64_t unit = state.copies ? s.output[1] : 1;
  const std::int64_t units = s.batch * s.output[0] * s.output[1] / unit;
  const auto slices = static_cast<std::int64_t>(state.slices.size());
  const Part part = part_of(choose_split(units, slices, team.count, state.prefer_channel_split), units, slices, team);
  work.run({part.rows.first * unit, part.rows.last * unit}, part.columns);
}

}  // namespace

bool applies(const ConvShape& shape, const Target& target) {
  constexpr std::int64_t kFewChannels = 8;
  return target.isa != Isa::sse41 && has_simple_activation(shape.op.activation) && shape.op.groups == 1 &&
         shape.in_channels > 0 && shape.out_channels > 0 && shape.output[0] > 0 && shape.output[1] > 0 &&
         shape.source.pixel > 0 && shape.result.pixel > 0 &&
         shape.out_channels % product_kernels(Isa::avx2).lanes == 0 &&
         (!has_padding(shape) || shape.in_channels <= kFewChannels);
}

Tuning choose(const ConvShape& shape, const Target& target) {
  // The pixels' part of the source stays in half of L2, but weights are to meet enough pixels to hide their fetching.
  const std::int64_t bytes = shape.in_channels * shape.op.strides[0] * shape.op.strides[1] * kFloat;
  std::int64_t pixels = std::max(kFewPixels, target.l2_bytes / 2 / bytes);
  const std::int64_t all = shape.batch * shape.output[0] * shape.output[1];
  if (has_padding(shape)) {
    pixels = whole_rows(shape, pixels);
  } else {
    const std::int64_t turns = (all + pixels - 1) / pixels;
    pixels = (all + turns - 1) / turns;
  }
  return {.isa = target.isa, .pixels = pixels};
}

std::vector<std::int64_t> to_numbers(const Tuning& tuning) {
  return {static_cast<std::int64_t>(tuning.isa), tuning.pixels};
}

Tuning tuning_from(std::span<const std::int64_t> numbers) {
  DEEPER_CHECK(numbers.size() == 2 && numbers[1] > 0, "tuning of a direct step");
  return {.isa = static_cast<Isa>(numbers[0]), .pixels = numbers[1]};
}

std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights) {
  const std::int64_t taps = window(shape);
  const std::int64_t inputs = shape.in_channels;
  DEEPER_CHECK(static_cast<std::int64_t>(weights.size()) == shape.out_channels * inputs * taps, "packing weights");
  std::vector<float> packed(weights.size());
  float* to = packed.data();
  for (const Slice& slice : make_slices(shape, tuning.isa)) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t input = 0; input < inputs; ++input) {
        for (std::int64_t row = 0; row < slice.rows; ++row) {
          *to++ = weights[((slice.channel + row) * inputs + input) * taps + tap];
        }
      }
    }
  }
  return packed;
}

std::int64_t weights_bytes(const ConvShape& shape) {
  return shape.out_channels * shape.in_channels * window(shape) * kFloat;
}

std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads, bool pools) {
  return scratch_floats(shape, tuning, pools) * threads * kFloat;
}

std::string describe(const Tuning& tuning) { return fmt::format("pixels {}", tuning.pixels); }

bool can_pool(const ConvShape& shape, const ir::Pool& pool) {
  return native::RowPool::applies(pool) && shape.kernel == ir::Extent2{1, 1} && shape.op.strides == ir::Extent2{1, 1} &&
         !has_padding(shape);
}

std::optional<Tuning> pooled(const ConvShape& shape, const ir::Pool& pool, const Tuning& tuning) {
  if (!can_pool(shape, pool) || prefers_channel_split(shape)) return std::nullopt;
  return Tuning{.isa = tuning.isa, .pixels = whole_rows(shape, tuning.pixels)};
}

double estimate_ns(const ConvShape& shape, const Target& target) {
  const Costs& costs = costs_of(target.machine, target.isa);
  const std::int64_t pixels = shape.batch * shape.output[0] * shape.output[1];
  const std::int64_t depth = shape.in_channels * window(shape);
  const std::int64_t lanes = product_kernels(target.isa).lanes;
  const double rows_cycles = costs.direct.row_cycles * static_cast<double>(shape.kernel[0] - 1);
  double cycles = 0;
  for (const Slice& slice : make_slices(shape, target.isa)) {
    const double sums = static_cast<double>(pixels * slice.rows) / static_cast<double>(lanes);
    cycles +=
        product_cycles(slice.rows, pixels, depth, target.isa, costs) + sums * (costs.direct.sum_cycles + rows_cycles);
  }
  const double compute = cycles / costs.gigahertz / target.threads;
  const auto bytes = static_cast<double>(weights_bytes(shape));
  constexpr std::int64_t kHardlyAny = 12;
  if (pixels < kHardlyAny) return compute + bytes / costs.direct.unahead_bytes_per_ns / target.threads;
  const double fetch = bytes / costs.direct.memory_bytes_per_ns;
  return costs.overlapped(compute + costs.direct.exposed_fetch * fetch, fetch);
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "direct step '" + step.name + "' is not a convolution of NHWC images");
  std::shared_ptr<State> state = make_state(*shape, tuning_from(step.tuning), step.operand_pool.has_value());
  if (step.operand_pool) {
    const runtime::Operand& x = step.operands[0];
    state->unpooled = *image_strides_of(x);
    state->unpooled_rows = {0, x.shape[2]};
    state->pool = native::RowPool(*step.operand_pool, shape->in_channels, {x.shape[2], x.shape[3]}, shape->input,
                                  state->unpooled.row, state->unpooled.pixel, shape->source);
  }
  state->addresses = ConvAddresses(*shape, step, threads);
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::direct
