#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/costs.h"
#include "backend/kernels/conv_shape.h"
#include "backend/kernels/split.h"
#include "backend/target.h"
#include "runtime/kernel.h"

// 1x1 convolution with stride 1 in NHWC by one level of Winograd's variant of Strassen's product (Strassen: Gaussian
// Elimination is not Optimal, 1969; Winograd: On Multiplication of 2x2 Matrices, 1971): seven products of halves
// instead of eight. Halves are the even and the odd pixels, the lower and the upper input channels, and the lower and
// the upper output channels; channels of the output that two halves of whole vectors leave over are multiplied
// directly. Sums of products are taken in registers, at the end of each product; source, result and residual may be
// channel slices; bias, residual and activation are applied before a block is stored.
namespace deeper::backend::strassen {

inline constexpr std::string_view kName = "strassen";

bool applies(const ConvShape& shape, const Target& target);

struct Tuning {
  Isa isa = Isa::avx2;
  std::int64_t pixels = 0;  // that all weights meet before the next pixels
  std::int64_t parts = 1;   // of the output channels, as even as vectors allow, that slices are made for
  bool operator==(const Tuning&) const = default;
};
std::vector<Tuning> choose(const ConvShape& shape, const Target& target);
std::vector<std::int64_t> to_numbers(const Tuning& tuning);
Tuning tuning_from(std::span<const std::int64_t> numbers);
std::string describe(const Tuning& tuning);

// How a team of so many shares the pixels (rows) and the slices of output channels (columns).
TeamSplit choose_split(const ConvShape& shape, const Tuning& tuning, std::int64_t threads, const Costs& costs);

// weights [M, C, 1, 1] to [slice of a half of the output channels][product][input of a half][output within the slice],
// then, of the channels left over, [slice][input][output within the slice]; summed in double and rounded once.
std::vector<float> pack_weights(const ConvShape& shape, const Tuning& tuning, std::span<const float> weights);
std::int64_t weights_bytes(const ConvShape& shape, const Tuning& tuning);
std::int64_t scratch_bytes(const ConvShape& shape, const Tuning& tuning, int threads);

// Time on target.threads cores that have to fetch the weights from memory, in nanoseconds.
double estimate_ns(const ConvShape& shape, const Tuning& tuning, const Target& target);

// A row of the kernel table: operands x, packed weights, [bias], [residual]; Step::tuning as to_numbers gives it.
runtime::Executable prepare(const runtime::Step& step, int threads);

}  // namespace deeper::backend::strassen
