#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/costs.h"
#include "backend/kernels/conv_shape.h"
#include "backend/kernels/cooktoom.h"
#include "backend/kernels/split.h"
#include "backend/kernels/winograd_tiles.h"
#include "backend/target.h"
#include "runtime/kernel.h"

// Convolution with stride 1, or 2 by phases, by Winograd / Cook-Toom in NHWC: along both axes for square windows, along
// one for 1xk and kx1. A thread takes a block of tiles from the input transform through one matrix product per
// frequency to the output transform, with bias, residual and activation, all within its L2; source, result and residual
// may be channel slices.
namespace deeper::backend::winograd {

inline constexpr std::string_view kName = "winograd";

bool applies(const ConvShape& shape, const Target& target);

struct Tuning {
  Isa isa = Isa::avx2;
  Tiling tiling;
  std::int64_t tiles = 0;     // most tiles in one product
  std::int64_t channels = 0;  // most output channels between products and output transform
  bool operator==(const Tuning&) const = default;
};
std::vector<std::int64_t> to_numbers(const Tuning& tuning);
Tuning tuning_from(std::span<const std::int64_t> numbers);
// "F(4x4,3x3)+3 t24": tile sizes, then those at the far edges, then tiles in one product.
std::string describe(const ConvShape& shape, const Tuning& tuning);

// The best few ways by estimate, best first; none where no algorithm of this accuracy applies.
std::vector<Tuning> choose(const ConvShape& shape, const Target& target, Accuracy accuracy);

// How a team of so many shares the tiles (rows) and the groups of output channels (columns).
TeamSplit choose_split(const ConvShape& shape, const Tuning& tuning, std::int64_t threads, const Costs& costs);

// Time on target.threads cores that have to fetch the weights from memory, in nanoseconds.
double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target);

// weights [M, C, kh, kw] to, for each kind of tile, [group of output channels][frequency][slice of the group][input]
// [output within the slice], the order they are read in; transformed in double and rounded once.
std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights);
std::int64_t weights_bytes(const ConvShape& shape, const Tuning& tuning);
// With `pools`, of a step that pools what it computes.
std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads, bool pools = false);

// Whether a step of this way can pool its result: blocks are whole rows of tiles then, all of a kind, whose outputs a
// thread keeps only until they are pooled.
bool can_pool(const ConvShape& shape, const ir::Pool& pool, const Tuning& tuning);
// The way as such a step has it; nothing where it cannot, or threads share the output channels.
std::optional<Tuning> pooled(const ConvShape& shape, const ir::Pool& pool, const Tuning& tuning, const Target& target);

// A row of the kernel table: operands x, packed weights, [bias], [residual]; Step::tuning as to_numbers gives it.
runtime::Executable prepare(const runtime::Step& step, int threads);

}  // namespace deeper::backend::winograd
