#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/target.h"
#include "runtime/kernel.h"

// Direct convolution in NHWC that keeps a block of output channels and pixels in registers over the whole window and
// fetches the next weights meanwhile: for windows without padding, and for images of few channels, which are copied
// with their padding. The pixels of a block may lie in different rows. Source, result and residual may be channel
// slices; bias, residual and activation are applied before the block is stored.
namespace deeper::backend::direct {

inline constexpr std::string_view kName = "direct";

bool applies(const ConvShape& shape, const Target& target);

struct Tuning {
  Isa isa = Isa::avx2;
  std::int64_t pixels = 0;  // that all weights meet before the next pixels; whole rows of a copied image
  bool operator==(const Tuning&) const = default;
};
Tuning choose(const ConvShape& shape, const Target& target);
std::vector<std::int64_t> to_numbers(const Tuning& tuning);
std::string describe(const Tuning& tuning);
Tuning tuning_from(std::span<const std::int64_t> numbers);

// weights [M, C, kh, kw] to [slice of output channels][kh][kw][input][output within the slice].
std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights);
std::int64_t weights_bytes(const ConvShape& shape);
// With `pools`, of a step that pools its operand.
std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads, bool pools = false);

// Whether a step can pool its operand, into the member's scratch: 1x1 windows with stride 1.
bool can_pool(const ConvShape& shape, const ir::Pool& pool);
// The way as such a step has it; nothing where it cannot, or threads share the output channels.
std::optional<Tuning> pooled(const ConvShape& shape, const ir::Pool& pool, const Tuning& tuning);

// Time on target.threads cores that have to fetch the weights from memory, in nanoseconds.
double estimate_ns(const ConvShape& shape, const Target& target);

// A row of the kernel table: operands x, packed weights, [bias], [residual]; Step::tuning as to_numbers gives it.
runtime::Executable prepare(const runtime::Step& step, int threads);

}  // namespace deeper::backend::direct
