// The inner loops of product.h.
#include <algorithm>
#include <utility>

#include "backend/kernels/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/product_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/kernels/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr std::int64_t kLine = 16;   // floats in a cache line
constexpr std::int64_t kUnroll = 4;  // steps of depth between fetches

constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(D()));

// Twelve accumulators hide the latency of two FMA units and leave registers for the operands, where there are sixteen;
// with thirty-two, twice as many. Loads and broadcasts are fewest where both sides of a block are about as long.
constexpr int kAccumulators = HWY_TARGET == HWY_AVX3 ? 24 : 12;
constexpr int most_columns(int vectors) { return kAccumulators / std::max(vectors, kAccumulators / kMostColumns); }

// Into L2: by the time it is needed L1 has seen more than it holds.
HWY_INLINE void fetch(const float* line) { __builtin_prefetch(line, 0, 2); }

// sum += left * right. Left to themselves, compilers rename the sums with every step and so move and spill them.
HWY_INLINE void accumulate(V& sum, V left, V right) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  asm("vfmadd231ps %2, %1, %0" : "+v"(sum.raw) : "v"(left.raw), "v"(right.raw));
#else
  sum = hn::MulAdd(left, right, sum);
#endif
}

// Some of a block's columns: [kFirst, kLast).
template <int kFirst, int kLast>
struct Some {};

template <int kFirst, int kLast, int kVectors, int kColumns>
HWY_INLINE void step(Some<kFirst, kLast>, const float* a, const float* const* columns, std::int64_t k,
                     V (&sums)[kColumns][kVectors]) {
  const D d;
  V left[kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) left[i] = hn::LoadU(d, a + i * kLanes);
#pragma GCC unroll 16
  for (int j = kFirst; j < kLast; ++j) {
    const V right = hn::Set(d, columns[j][k]);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) accumulate(sums[j][i], left[i], right);
  }
}

template <int kFirst, int kLast, int kVectors, int kColumns, typename Change>
HWY_INLINE void for_all(Some<kFirst, kLast>, V (&sums)[kColumns][kVectors], Change change) {
#pragma GCC unroll 16
  for (int j = kFirst; j < kLast; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) sums[j][i] = change(sums[j][i], j, i * kLanes);
  }
}

// Every question is asked once for all columns.
template <typename Columns, int kVectors, int kColumns>
HWY_INLINE void finish(Columns some, const ProductBlock& block, V (&sums)[kColumns][kVectors]) {
  const D d;
  const Epilogue& epilogue = *block.epilogue;
  if (block.bias != nullptr) {
    for_all(some, sums,
            [&](V sum, int, std::int64_t row) HWY_ATTR { return hn::Add(sum, hn::LoadU(d, block.bias + row)); });
  }
  if (block.has_residuals) {
    for_all(some, sums, [&](V sum, int column, std::int64_t row) HWY_ATTR {
      return hn::Add(sum, hn::LoadU(d, block.residuals[column] + row));
    });
  }
  if (is_floor(epilogue)) {
    for_all(some, sums, [&](V sum, int, std::int64_t) HWY_ATTR { return hn::Max(hn::Set(d, epilogue.low), sum); });
    return;
  }
  if (epilogue.slope != 1) {
    for_all(some, sums, [&](V sum, int, std::int64_t) HWY_ATTR { return bent(d, sum, epilogue); });
  }
  for_all(some, sums, [&](V sum, int, std::int64_t) HWY_ATTR { return clamped(d, sum, epilogue); });
}

template <typename Columns, int kVectors, int kColumns>
HWY_INLINE void add_dense(Columns some, const float* other, V (&sums)[kColumns][kVectors]) {
  const D d;
  for_all(some, sums, [&](V sum, int column, std::int64_t row) HWY_ATTR {
    return hn::Add(sum, hn::LoadU(d, other + column * kVectors * kLanes + row));
  });
}

// Adds what is there of the same sums, and of other products.
template <typename Columns, int kVectors, int kColumns>
HWY_INLINE void add_others(Columns some, const ProductBlock& block, V (&sums)[kColumns][kVectors]) {
  const D d;
  if (block.adds) {
    for_all(some, sums, [&](V sum, int column, std::int64_t row) HWY_ATTR {
      return hn::Add(sum, hn::LoadU(d, block.results[column] + row));
    });
  }
  if (block.others[0] != nullptr) add_dense(some, block.others[0], sums);
  if (block.kept != nullptr) {
    for_all(some, sums, [&](V sum, int column, std::int64_t row) HWY_ATTR {
      hn::StoreU(sum, d, block.kept + column * kVectors * kLanes + row);
      return sum;
    });
  }
  if (block.others[1] != nullptr) add_dense(some, block.others[1], sums);
}

// One tap has functions of its own: these keep more in registers.
enum class Taps { one, added, many };

// What follows the products: the columns' sums are stored.
template <Taps kTaps, typename Columns, int kVectors, int kColumns>
HWY_INLINE void store(Columns some, const ProductBlock& block, V (&sums)[kColumns][kVectors]) {
  if (kTaps == Taps::added) add_others(some, block, sums);
  if (block.epilogue != nullptr) finish(some, block, sums);
  for_all(some, sums, [&](V sum, int column, std::int64_t row) HWY_ATTR {
    hn::StoreU(sum, D(), block.results[column] + row);
    return sum;
  });
}

constexpr std::int64_t kFew = 2;  // lines to fetch with every kUnroll steps

// The whole multiples of kUnroll steps, while the lines from `next` on are fetched: spread over the steps, since a
// burst fills the buffers that hold what is under way; but few at once, since the test for them costs as much.
template <bool kAreFew, int kVectors, int kColumns>
HWY_INLINE void multiply_steps(const float* a, const float* const* columns, std::int64_t depth, const float* next,
                               std::int64_t lines, V (&sums)[kColumns][kVectors]) {
  for (std::int64_t k = 0; k < depth; k += kUnroll, a += kUnroll * kVectors * kLanes, next += lines * kLine) {
    if (kAreFew) {
      for (std::int64_t line = 0; line < kFew; ++line) fetch(next + line * kLine);
    }
#pragma GCC unroll 4
    for (std::int64_t u = 0; u < kUnroll; ++u) {
      if (!kAreFew) {
        for (std::int64_t line = u; line < lines; line += kUnroll) fetch(next + line * kLine);
      }
      step(Some<0, kColumns>(), a + u * kVectors * kLanes, columns, k + u, sums);
    }
  }
}

// Stores of wide vectors take two cycles on Zen 4, and all of a block's at once hold up whatever follows.
constexpr bool kEndsByColumns = HWY_TARGET == HWY_AVX3;

// The last kUnroll steps, by groups of columns: the stores of one are hidden behind the products of the next.
template <Taps kTaps, int kFirst, int kVectors, int kColumns>
HWY_INLINE void end_block(const ProductBlock& block, const float* a, const float* const* columns, std::int64_t k,
                          V (&sums)[kColumns][kVectors]) {
  // Sums that hide the latency of the FMA units well enough; the fewer the sooner the stores begin.
  constexpr int kEnough = 6;
  constexpr int kGroup = (kEnough + kVectors - 1) / kVectors;
  constexpr int kLast = kColumns - kFirst < 2 * kGroup ? kColumns : kFirst + kGroup;
#pragma GCC unroll 4
  for (std::int64_t u = 0; u < kUnroll; ++u) {
    step(Some<kFirst, kLast>(), a + u * kVectors * kLanes, columns, k + u, sums);
  }
  store<kTaps>(Some<kFirst, kLast>(), block, sums);
  if constexpr (kLast < kColumns) end_block<kTaps, kLast>(block, a, columns, k, sums);
}

template <int kVectors, int kColumns, Taps kTaps>
HWY_NOINLINE void multiply_taps(const ProductBlock& block) {
  V sums[kColumns][kVectors];
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) sums[j][i] = hn::Zero(D());
  }
  const float* a = block.a;
  const float* next = block.next;
  const std::int64_t lines = block.lines;
  const std::int64_t depth = block.depth;
  const std::int64_t tap_count = kTaps == Taps::many ? block.tap_count : 1;
  for (std::int64_t tap = 0; tap < tap_count; ++tap) {
    const float* columns[kColumns];
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) columns[j] = block.columns[j] + block.taps[tap];
    const bool ends = kEndsByColumns && tap + 1 == tap_count && depth >= kUnroll;
    const std::int64_t before = ends ? depth - kUnroll : depth;  // the last steps
    const std::int64_t whole = before / kUnroll * kUnroll;
    if (lines <= kFew) {
      multiply_steps<true>(a, columns, whole, next, lines, sums);
    } else {
      multiply_steps<false>(a, columns, whole, next, lines, sums);
    }
    a += whole * kVectors * kLanes;
    next += whole / kUnroll * lines * kLine;
    std::int64_t k = whole;
    for (; k < before; ++k, a += kVectors * kLanes) step(Some<0, kColumns>(), a, columns, k, sums);
    if (ends) {
      for (std::int64_t line = 0; line < lines; ++line) fetch(next + line * kLine);
      return end_block<kTaps, 0>(block, a, columns, k, sums);
    }
  }
  store<kTaps>(Some<0, kColumns>(), block, sums);
}

template <int kVectors, int kColumns>
void multiply_block(const ProductBlock& block) {
  if (block.tap_count > 1) return multiply_taps<kVectors, kColumns, Taps::many>(block);
  if (block.adds || block.others[0] != nullptr) return multiply_taps<kVectors, kColumns, Taps::added>(block);
  multiply_taps<kVectors, kColumns, Taps::one>(block);
}

template <int kVectors, int... kColumns>
void fill(ProductKernels& kernels, std::integer_sequence<int, kColumns...>) {
  kernels.most_columns[kVectors - 1] = sizeof...(kColumns);
  ((kernels.multiply[kVectors - 1][kColumns] = multiply_block<kVectors, kColumns + 1>), ...);
}

ProductKernels make_kernels() {
  ProductKernels kernels{};
  kernels.lanes = kLanes;
  fill<1>(kernels, std::make_integer_sequence<int, most_columns(1)>());
  fill<2>(kernels, std::make_integer_sequence<int, most_columns(2)>());
  fill<3>(kernels, std::make_integer_sequence<int, most_columns(3)>());
#if HWY_TARGET == HWY_AVX3
  fill<4>(kernels, std::make_integer_sequence<int, most_columns(4)>());
#endif
  return kernels;
}

const ProductKernels& kernels() {
  static const ProductKernels kKernels = make_kernels();
  return kKernels;
}

}  // namespace deeper::backend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend {

namespace {

// Where wide vectors are two halves, two short ones have more sums under way than one of them.
const ProductKernels& with_short_vectors() {
  static const ProductKernels kKernels = [] {
    ProductKernels kernels = N_AVX3::kernels();
    kernels.multiply[0] = N_AVX2::kernels().multiply[1];
    kernels.most_columns[0] = N_AVX2::kernels().most_columns[1];
    return kernels;
  }();
  return kKernels;
}

}  // namespace

const ProductKernels& product_kernels(Isa isa) {
  switch (isa) {
    case Isa::amx:
    case Isa::avx512:
      return this_machine() == Machine::zen ? with_short_vectors() : N_AVX3::kernels();
    case Isa::avx2:
      return N_AVX2::kernels();
    case Isa::sse41:
      break;
  }
  return HWY_STATIC_DISPATCH(kernels)();
}

}  // namespace deeper::backend
#endif
