#include "backend/kernels/brgemm.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "backend/costs.h"
#include "backend/kernels/conv_memory.h"
#include "backend/kernels/epilogue.h"
#include "backend/kernels/gemm.h"
#include "backend/kernels/rounding.h"
#include "backend/kernels/split.h"
#include "ir/error.h"

// A strip of an output row is the sum of a few products, its calls: one for each tap of the kernel's row over the
// pixels where that tap is inside the image, the kernel's rows being the batch.
namespace deeper::backend::brgemm {
namespace {

// A product of a strip. Offsets are in elements from the start of the strip's row in the source, of the strip's row in
// the result, and of a block's weights (in units of the block's rows).
struct Call {
  std::int64_t kernel = 0;
  std::int64_t weights = 0;
  std::int64_t source = 0;
  std::int64_t result = 0;
};

struct Strip {
  Range pixels;
  bool starts_empty = false;                // no first call covers it whole: clear it before
  std::vector<std::vector<Call>> by_chunk;  // calls for each chunk of input channels
};

struct ChannelBlock {
  std::int64_t channel = 0;  // first output channel, of all
  std::int64_t group = 0;
  std::int64_t rows = 0;
  std::int64_t kind = 0;     // number of its row count among the distinct ones
  std::int64_t weights = 0;  // offset in the packed weights
};

struct State {
  ConvShape shape;  // flattened
  Epilogue epilogue;
  FinishBlock finish = nullptr;
  bool has_finish = false;
  std::int64_t chunks = 1;
  std::int64_t weights_per_kernel_row = 0;  // in units of a block's rows
  std::int64_t blocks_at_once = 1;
  bool prefer_channel_split = false;
  ConvAddresses addresses;
  std::vector<Strip> strips;
  std::vector<ChannelBlock> blocks;
  std::vector<std::int64_t> kinds;
  std::vector<Gemm> kernels;  // [kernel number][kind]
};

// A 1x1 convolution without padding sees rows, and images where they adjoin, as one row.
ConvShape flatten(ConvShape shape) {
  const auto adjoin = [&](const ImageStrides& s, const ir::Extent2& extent) { return s.row == s.pixel * extent[1]; };
  const bool is_pointwise = shape.kernel == ir::Extent2{1, 1} && shape.op.strides == ir::Extent2{1, 1} &&
                            shape.op.pads == ir::Pads{0, 0, 0, 0};
  if (!is_pointwise || !adjoin(shape.source, shape.input) || !adjoin(shape.result, shape.output) ||
      (shape.has_residual && !adjoin(shape.residual, shape.output))) {
    return shape;
  }
  const std::int64_t pixels = shape.input[0] * shape.input[1];
  shape.input = {1, pixels};
  shape.output = {1, pixels};
  const auto follow = [&](const ImageStrides& s) { return s.image == s.pixel * pixels; };
  if (follow(shape.source) && follow(shape.result) && (!shape.has_residual || follow(shape.residual))) {
    shape.input[1] = shape.output[1] = pixels * shape.batch;
    shape.batch = 1;
  }
  return shape;
}

std::vector<ChannelBlock> make_blocks(const ConvShape& shape, Isa isa, std::vector<std::int64_t>& kinds) {
  const std::vector<std::int64_t> sizes = channel_blocks(shape.group_outputs(), isa);
  kinds = sizes;
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  const std::int64_t depth = shape.kernel[0] * shape.kernel[1] * shape.group_inputs();
  std::vector<ChannelBlock> blocks;
  std::int64_t channel = 0;
  for (std::int64_t group = 0; group < shape.op.groups; ++group) {
    for (const std::int64_t rows : sizes) {
      const auto kind = std::find(kinds.begin(), kinds.end(), rows) - kinds.begin();
      blocks.push_back({.channel = channel, .group = group, .rows = rows, .kind = kind, .weights = channel * depth});
      channel += rows;
    }
  }
  return blocks;
}

// Columns and depth of a product; the kernels are made once all are known.
struct KernelKey {
  std::int64_t pixels = 0;
  std::int64_t depth = 0;
  bool accumulate = false;
  auto operator<=>(const KernelKey&) const = default;
};

class StripBuilder {
 public:
  StripBuilder(const ConvShape& shape, const Tuning& tuning) : shape_(shape), tuning_(tuning) {}

  std::vector<Strip> strips() {
    const std::int64_t width = shape_.output[1];
    const std::int64_t count = (width + tuning_.strip - 1) / tuning_.strip;
    std::vector<Strip> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(strip(share(width, i, count)));
    return result;
  }

  const std::map<KernelKey, std::int64_t>& kernels() const { return kernels_; }
  // How many calls of a row use kernel `number`.
  std::int64_t uses(std::int64_t number) const { return uses_[number]; }

 private:
  // Pixels for which tap `tap` of a kernel's row is inside the image.
  struct Segment {
    Range pixels;
    std::int64_t tap = 0;
  };

  static Range overlap(Range a, Range b) {
    const std::int64_t first = std::max(a.first, b.first);
    return {first, std::max(first, std::min(a.last, b.last))};
  }

  std::vector<Segment> segments(Range pixels) const {
    std::vector<Segment> result;
    for (std::int64_t tap = 0; tap < shape_.kernel[1]; ++tap) {
      const Range valid = overlap(pixels, valid_outputs(shape_, 1, tap));
      if (valid.size() > 0) result.push_back({.pixels = valid, .tap = tap});
    }
    std::stable_partition(result.begin(), result.end(), [&](const Segment& s) { return s.pixels == pixels; });
    return result;
  }

  Strip strip(Range pixels) {
    const std::vector<Segment> parts = segments(pixels);
    Strip result{.pixels = pixels, .starts_empty = false, .by_chunk = {}};
    result.starts_empty = parts.empty() || parts.front().pixels != pixels;
    const std::int64_t inputs = shape_.group_inputs();
    for (std::int64_t first = 0; first < inputs; first += tuning_.input_block) {
      const std::int64_t depth = std::min(tuning_.input_block, inputs - first);
      std::vector<Call> calls;
      for (const Segment& s : parts) {
        const bool is_first = first == 0 && &s == parts.data();
        const bool accumulate = !is_first || result.starts_empty || shape_.residual_in_place;
        calls.push_back(call(s, first, depth, accumulate));
      }
      result.by_chunk.push_back(std::move(calls));
    }
    return result;
  }

  Call call(const Segment& s, std::int64_t first_input, std::int64_t depth, bool accumulate) {
    const KernelKey key{.pixels = s.pixels.size(), .depth = depth, .accumulate = accumulate};
    const auto number = static_cast<std::int64_t>(kernels_.size());
    const std::int64_t kernel = kernels_.try_emplace(key, number).first->second;
    uses_.resize(kernels_.size(), 0);
    ++uses_[kernel];
    const std::int64_t column =
        s.pixels.first * shape_.op.strides[1] - shape_.op.pads[1] + s.tap * shape_.op.dilations[1];
    return {.kernel = kernel,
            .weights = s.tap * shape_.group_inputs() + first_input,
            .source = column * shape_.source.pixel + first_input,
            .result = s.pixels.first * shape_.result.pixel};
  }

  const ConvShape& shape_;
  const Tuning& tuning_;
  std::map<KernelKey, std::int64_t> kernels_;
  std::vector<std::int64_t> uses_;
};

std::vector<Gemm> make_kernels(const State& state, const std::map<KernelKey, std::int64_t>& keys, Isa isa) {
  const ConvShape& shape = state.shape;
  const auto kinds = static_cast<std::int64_t>(state.kinds.size());
  std::vector<Gemm> result(keys.size() * state.kinds.size());
  for (const auto& [key, number] : keys) {
    for (std::int64_t kind = 0; kind < kinds; ++kind) {
      const std::int64_t rows = state.kinds[kind];
      result[number * kinds + kind] = Gemm({.m = rows,
                                            .n = key.pixels,
                                            .k = key.depth,
                                            .lda = rows,
                                            .ldb = shape.op.strides[1] * shape.source.pixel,
                                            .ldc = shape.result.pixel,
                                            .accumulate = key.accumulate,
                                            .is_batch = shape.kernel[0] > 1,
                                            .stride_a = state.weights_per_kernel_row * rows,
                                            .stride_b = shape.op.dilations[0] * shape.source.row},
                                           isa);
    }
  }
  return result;
}

std::shared_ptr<State> make_state(const ConvShape& shape, const Tuning& tuning) {
  auto state = std::make_shared<State>();
  state->shape = flatten(shape);
  const ConvShape& s = state->shape;
  state->epilogue = make_epilogue(s.op.activation);
  state->finish = finish_block(tuning.isa);
  state->has_finish =
      s.has_bias || (s.has_residual && !s.residual_in_place) || s.op.activation.function != ir::Function::identity;
  const std::int64_t inputs = s.group_inputs();
  state->chunks = (inputs + tuning.input_block - 1) / tuning.input_block;
  state->weights_per_kernel_row = s.kernel[1] * inputs;
  state->blocks = make_blocks(s, tuning.isa, state->kinds);
  const std::int64_t panel = state->kinds.front() * s.kernel[0] * s.kernel[1] * tuning.input_block;
  constexpr std::int64_t kShareOfCache = 3;
  state->blocks_at_once =
      std::max<std::int64_t>(1, tuning.l2_bytes / kShareOfCache / (panel * static_cast<std::int64_t>(sizeof(float))));
  const std::int64_t weights = s.out_channels * inputs * s.kernel[0] * s.kernel[1];
  state->prefer_channel_split = weights > s.batch * s.input[0] * s.input[1] * s.in_channels;
  StripBuilder builder(s, tuning);
  state->strips = builder.strips();
  state->kernels = make_kernels(*state, builder.kernels(), tuning.isa);
  return state;
}

// What one member of the team works on.
struct Work : ConvMemory {
  const State& state;

  void clear(float* row, Range pixels, const ChannelBlock& block) const {
    for (std::int64_t x = pixels.first; x < pixels.last; ++x) {
      std::fill_n(row + x * state.shape.result.pixel, block.rows, 0.0F);
    }
  }

  // Adds chunk `chunk` of the inputs to one block of channels of one strip; the last one finishes it.
  void strip(const Strip& strip, std::int64_t image, std::int64_t row, std::int64_t chunk,
             const ChannelBlock& block) const {
    const ConvShape& s = state.shape;
    const Range taps = valid_taps(s, 0, row);
    const std::int64_t in_row = row * s.op.strides[0] - s.op.pads[0] + taps.first * s.op.dilations[0];
    const float* from = source + image * s.source.image + in_row * s.source.row + block.group * s.group_inputs();
    const float* panel = weights + block.weights + taps.first * state.weights_per_kernel_row * block.rows;
    float* to = result + image * s.result.image + row * s.result.row + block.channel;
    const bool clears = chunk == 0 && !s.residual_in_place && (strip.starts_empty || taps.size() == 0);
    if (clears) clear(to, strip.pixels, block);
    if (taps.size() > 0) {
      const auto kinds = static_cast<std::int64_t>(state.kinds.size());
      for (const Call& call : strip.by_chunk[chunk]) {
        state.kernels[call.kernel * kinds + block.kind](panel + call.weights * block.rows, from + call.source,
                                                        to + call.result, taps.size());
      }
    }
    if (chunk + 1 == state.chunks && state.has_finish) finish(strip, image, row, block, to);
  }

  void finish(const Strip& strip, std::int64_t image, std::int64_t row, const ChannelBlock& block, float* to) const {
    const ConvShape& s = state.shape;
    const float* other = nullptr;
    if (residual != nullptr) {
      other = residual + image * s.residual.image + row * s.residual.row + strip.pixels.first * s.residual.pixel +
              block.channel;
    }
    state.finish(state.epilogue, to + strip.pixels.first * s.result.pixel, s.result.pixel, strip.pixels.size(),
                 block.rows, bias != nullptr ? bias + block.channel : nullptr, other, s.residual.pixel);
  }
};

void run(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const State& state = *static_cast<const State*>(opaque);
  const ConvShape& s = state.shape;
  Work work{state.addresses.of(addresses, team), state};
  if (s.residual_in_place) work.residual = nullptr;  // the result holds it
  const auto strips = static_cast<std::int64_t>(state.strips.size());
  const std::int64_t items = s.batch * s.output[0] * strips;
  const auto blocks = static_cast<std::int64_t>(state.blocks.size());
  const Part part = part_of(choose_split(items, blocks, team.count, state.prefer_channel_split), items, blocks, team);
  for (std::int64_t first = part.columns.first; first < part.columns.last; first += state.blocks_at_once) {
    const std::int64_t last = std::min(part.columns.last, first + state.blocks_at_once);
    for (std::int64_t chunk = 0; chunk < state.chunks; ++chunk) {
      for (std::int64_t item = part.rows.first; item < part.rows.last; ++item) {
        const std::int64_t row = item / strips;
        for (std::int64_t b = first; b < last; ++b) {
          work.strip(state.strips[item % strips], row / s.output[0], row % s.output[0], chunk, state.blocks[b]);
        }
      }
    }
  }
}

// Cycles of FMA at the peak, given how well the products of each strip run.
double products_cycles(const ConvShape& shape, const Tuning& tuning, const Costs& costs) {
  const std::vector<std::int64_t> sizes = channel_blocks(shape.group_outputs(), tuning.isa);
  StripBuilder builder(shape, tuning);
  double taps = 0;
  for (std::int64_t row = 0; row < shape.output[0]; ++row) {
    taps += static_cast<double>(valid_taps(shape, 0, row).size());
  }
  constexpr double kCallCycles = 12;
  constexpr double kTileVectors = 12;
  constexpr double kTileCycles = 16;
  constexpr double kTileCyclesPerRow = 6;
  const auto calls = static_cast<double>(shape.output[0]);
  const double kernel_rows = taps / calls;
  const double lanes = tuning.isa == Isa::avx512 ? 16 : 8;
  double cycles = 0;
  builder.strips();
  for (const auto& [key, number] : builder.kernels()) {
    for (const std::int64_t block : sizes) {
      const double work = static_cast<double>(block * key.pixels * key.depth) / (lanes * costs.fmas_per_cycle);
      // A register tile of twelve or more vectors is loaded and stored once a call, and costs some for each kernel row.
      const double tiles = static_cast<double>(block * key.pixels) / (lanes * kTileVectors);
      const double overhead = kCallCycles + tiles * (kTileCycles + kTileCyclesPerRow * kernel_rows);
      cycles += calls * static_cast<double>(builder.uses(number)) *
                (work * kernel_rows / gemm_efficiency(block, key.pixels, tuning.isa) + overhead);
    }
  }
  return cycles * static_cast<double>(shape.batch * shape.op.groups);
}

}  // namespace

bool applies(const ConvShape& shape, const Target& target) {
  return target.isa != Isa::sse41 && has_simple_activation(shape.op.activation) && shape.source.pixel > 0 &&
         shape.result.pixel > 0 && shape.out_channels > 0 && shape.in_channels > 0;
}

Tuning choose(const ConvShape& shape, const Target& target) {
  // A block's weights of one kernel column stay well inside L2 and a product's accumulators are loaded seldom.
  constexpr std::int64_t kDepth = 640;
  constexpr std::int64_t kPixels = 56;
  const std::int64_t inputs = shape.group_inputs();
  const std::int64_t chunks = std::max<std::int64_t>(1, (inputs * shape.kernel[0] + kDepth - 1) / kDepth);
  Tuning tuning{.isa = target.isa, .input_block = inputs, .strip = kPixels, .l2_bytes = target.l2_bytes};
  if (chunks > 1) tuning.input_block = std::min(inputs, round_up((inputs + chunks - 1) / chunks, 16));
  return tuning;
}

std::vector<std::int64_t> to_numbers(const Tuning& tuning) {
  return {static_cast<std::int64_t>(tuning.isa), tuning.input_block, tuning.strip, tuning.l2_bytes};
}

Tuning tuning_from(std::span<const std::int64_t> numbers) {
  DEEPER_CHECK(numbers.size() == 4, "tuning of a brgemm step");
  return {.isa = static_cast<Isa>(numbers[0]), .input_block = numbers[1], .strip = numbers[2], .l2_bytes = numbers[3]};
}

std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights) {
  std::vector<std::int64_t> kinds;
  const std::int64_t inputs = shape.group_inputs();
  const std::int64_t window = shape.kernel[0] * shape.kernel[1];
  DEEPER_CHECK(static_cast<std::int64_t>(weights.size()) == shape.out_channels * inputs * window, "packing weights");
  std::vector<float> packed(weights.size());
  for (const ChannelBlock& block : make_blocks(shape, tuning.isa, kinds)) {
    float* to = packed.data() + block.weights;
    for (std::int64_t tap = 0; tap < window; ++tap) {
      for (std::int64_t input = 0; input < inputs; ++input) {
        for (std::int64_t row = 0; row < block.rows; ++row) {
          *to++ = weights[((block.channel + row) * inputs + input) * window + tap];
        }
      }
    }
  }
  return packed;
}

std::int64_t weights_bytes(const ConvShape& shape, const Tuning&) {
  return shape.out_channels * shape.group_inputs() * shape.kernel[0] * shape.kernel[1] *
         static_cast<std::int64_t>(sizeof(float));
}

double estimate_ns(const ConvShape& shape, const Target& target) {
  const Costs& costs = costs_of(target.machine, target.isa);
  const Tuning tuning = choose(shape, target);
  const double products = costs.brgemm.beyond_products * products_cycles(flatten(shape), tuning, costs) /
                          costs.gigahertz / static_cast<double>(target.threads);
  const double fetch = static_cast<double>(weights_bytes(shape, tuning)) / costs.brgemm.memory_bytes_per_ns;
  return products + fetch;
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const std::optional<ConvShape> shape = conv_shape(step);
  DEEPER_CHECK(shape.has_value(), "brgemm step '" + step.name + "' is not a convolution of NHWC images");
  std::shared_ptr<State> state = make_state(*shape, tuning_from(step.tuning));
  state->addresses = ConvAddresses(*shape, step, threads);
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

}  // namespace deeper::backend::brgemm
