#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/target.h"
#include "runtime/kernel.h"

// Direct convolution in NHWC by batch-reduce matrix products: for a block of output channels and a strip of pixels of
// one output row, C[channels, pixels] is the sum over the taps inside the image of W[channels, inputs] X[inputs,
// pixels]. Any window, stride, dilation and group; source, result and residual may be channel slices. Bias, residual
// and activation are applied while the block is in cache. Needs no scratch.
namespace deeper::backend::brgemm {

// The kernel's name in a step.
inline constexpr std::string_view kName = "brgemm";

bool applies(const ConvShape& shape, const Target& target);

// The choices that Step::tuning keeps.
struct Tuning {
  Isa isa = Isa::avx2;
  std::int64_t input_block = 0;  // input channels in one product
  std::int64_t strip = 0;        // most pixels in one product
  std::int64_t l2_bytes = 0;
  bool operator==(const Tuning&) const = default;
};
Tuning choose(const ConvShape& shape, const Target& target);
std::vector<std::int64_t> to_numbers(const Tuning& tuning);
Tuning tuning_from(std::span<const std::int64_t> numbers);

// weights [M, C/groups, kh, kw] to [block of output channels][kh][kw][input][output within the block].
std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights);
std::int64_t weights_bytes(const ConvShape& shape, const Tuning& tuning);

// Time on target.threads cores that have to fetch the weights from memory, in nanoseconds.
double estimate_ns(const ConvShape& shape, const Target& target);

// A row of the kernel table: operands x, packed weights, [bias], [residual]; Step::tuning as to_numbers gives it.
runtime::Executable prepare(const runtime::Step& step, int threads);

}  // namespace deeper::backend::brgemm
