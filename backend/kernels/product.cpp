#include "backend/kernels/product.h"

#include <algorithm>
#include <array>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/product.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kLine = 16;   // floats in a cache line
constexpr std::int64_t kUnroll = 4;  // steps of depth between fetches

// Twelve accumulators hide the latency of two FMA units and leave registers for the operands, where there are sixteen;
// with thirty-two, twice as many.
template <int kVectors>
constexpr int most_columns() {
#if HWY_TARGET == HWY_AVX3
  return 12;
#else
  return 12 / kVectors;
#endif
}

template <int kVectors, int kColumns, typename V>
HWY_INLINE void step(const float* a, const float* b, std::int64_t ldb, V (&sums)[kColumns][kVectors]) {
  const hn::ScalableTag<float> d;
  V left[kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) left[i] = hn::LoadU(d, a + i * static_cast<std::int64_t>(hn::Lanes(d)));
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) {
    const V right = hn::Set(d, b[j * ldb]);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) sums[j][i] = hn::MulAdd(left[i], right, sums[j][i]);
  }
}

// A block of columns; fetches `lines` cache lines from `next` on every kUnroll steps.
template <int kVectors, int kColumns>
void block(const float* a, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, std::int64_t depth,
           const float* next, std::int64_t lines) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<hn::ScalableTag<float>>;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sums[kColumns][kVectors];
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) sums[j][i] = hn::Zero(d);
  }
  std::int64_t k = 0;
  for (; k + kUnroll <= depth; k += kUnroll) {
    for (std::int64_t line = 0; line < lines; ++line, next += kLine) hwy::Prefetch(next);
#pragma GCC unroll 4
    for (std::int64_t u = 0; u < kUnroll; ++u) {
      step<kVectors, kColumns>(a + u * kVectors * lanes, b + k + u, ldb, sums);
    }
    a += kUnroll * kVectors * lanes;
  }
  for (; k < depth; ++k, a += kVectors * lanes) step<kVectors, kColumns>(a, b + k, ldb, sums);
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) hn::StoreU(sums[j][i], d, c + j * ldc + i * lanes);
  }
}

using Block = void (*)(const float* a, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, std::int64_t depth,
                       const float* next, std::int64_t lines);

template <int kVectors, int... kColumns>
constexpr std::array<Block, sizeof...(kColumns)> make_blocks(std::integer_sequence<int, kColumns...>) {
  return {block<kVectors, kColumns + 1>...};
}

template <int kVectors>
void multiply(const float* a, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, std::int64_t columns,
              std::int64_t depth) {
  constexpr std::int64_t kMost = most_columns<kVectors>();
  static constexpr auto kBlocks = make_blocks<kVectors>(std::make_integer_sequence<int, kMost>());
  const auto rows = kVectors * static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const float* next = a + rows * depth;
  // Lines of the next slice for every kUnroll steps, spread over the blocks.
  const std::int64_t count = (columns + kMost - 1) / kMost;
  std::int64_t lines = std::max<std::int64_t>(1, kUnroll * rows / kLine);
  const std::int64_t lines_at_once = (lines + count - 1) / count;
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t last = columns * (i + 1) / count;
    const std::int64_t now = std::min(lines, lines_at_once);
    kBlocks[last - first - 1](a, b + first * ldb, ldb, c + first * ldc, ldc, depth, next, now);
    next += depth / kUnroll * now * kLine;
    lines -= now;
    first = last;
  }
}

std::int64_t vector_lanes() { return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

Product product_of(std::int64_t rows) { return rows == vector_lanes() ? multiply<1> : multiply<2>; }

}  // namespace deeper::backend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend {
namespace {

std::int64_t lanes_of(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return N_AVX3::vector_lanes();
    case Isa::avx2:
      return N_AVX2::vector_lanes();
    case Isa::sse41:
      break;
  }
  return HWY_STATIC_DISPATCH(vector_lanes)();
}

}  // namespace

std::vector<std::int64_t> product_slices(std::int64_t rows, Isa isa) {
  const std::int64_t lanes = lanes_of(isa);
  std::vector<std::int64_t> slices;
  for (; rows > lanes; rows -= 2 * lanes) slices.push_back(2 * lanes);
  if (rows > 0) slices.push_back(lanes);
  return slices;
}

Product product(std::int64_t rows, Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return N_AVX3::product_of(rows);
    case Isa::avx2:
      return N_AVX2::product_of(rows);
    case Isa::sse41:
      break;
  }
  return HWY_STATIC_DISPATCH(product_of)(rows);
}

double product_efficiency(std::int64_t rows, std::int64_t columns, Isa isa) {
  // Two vectors reach their best from four columns on, one vector from eight.
  const bool is_wide = rows > lanes_of(isa);
  const double whole = is_wide ? 4 : 8;
  const double best = is_wide ? 0.94 : 0.88;
  return best * std::min(1.0, static_cast<double>(columns) / whole);
}

}  // namespace deeper::backend
#endif
