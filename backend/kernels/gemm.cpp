#include "backend/kernels/gemm.h"

#include <fmt/format.h>
#include <libxsmm.h>
#include <libxsmm_version.h>

#include <algorithm>
#include <limits>
#include <span>

#include "ir/error.h"

namespace deeper::backend {
namespace {

// A block of rows and its speed as a share of the FMA peak with many columns.
struct Block {
  std::int64_t rows;
  double efficiency;
};
constexpr Block kAvx2Blocks[] = {{32, 0.97}, {24, 0.92}, {16, 0.71}, {8, 0.45}};
constexpr Block kAvx512Blocks[] = {{64, 0.98}, {48, 0.97}, {32, 0.96}, {16, 0.90}};

std::span<const Block> blocks(Isa isa) {
  if (isa == Isa::avx512) return kAvx512Blocks;
  return kAvx2Blocks;
}

// Fewer rows than the smallest block: what part of a vector is in use.
double ragged_efficiency(std::int64_t rows, Isa isa) {
  const Block& smallest = blocks(isa).back();
  const auto whole = static_cast<double>((rows + smallest.rows - 1) / smallest.rows * smallest.rows);
  return smallest.efficiency * static_cast<double>(rows) / whole;
}

// LIBXSMM generates for one architecture at a time.
void generate_for(Isa isa) {
  libxsmm_init();
  const int available = libxsmm_cpuid();
  libxsmm_set_target_archid(isa == Isa::avx512 ? available : std::min(available, LIBXSMM_X86_AVX2));
}

}  // namespace

Gemm::Gemm(const GemmSpec& spec, Isa isa) {
  generate_for(isa);
  const auto narrow = [](std::int64_t value) {
    DEEPER_CHECK(value >= 0 && value <= std::numeric_limits<libxsmm_blasint>::max(), "size of a matrix product");
    return static_cast<libxsmm_blasint>(value);
  };
  const libxsmm_blasint lda = narrow(spec.lda);
  const libxsmm_blasint ldb = narrow(spec.ldb);
  const libxsmm_blasint ldc = narrow(spec.ldc);
  const float alpha = 1;
  const float beta = spec.accumulate ? 1 : 0;
  const int flags = LIBXSMM_GEMM_FLAG_NONE;
  // Neither fetches ahead. They differ so that LIBXSMM, which keeps code by these parameters but not by architecture,
  // does not give a plan for AVX2 the code of one for AVX-512.
  const int prefetch = isa == Isa::avx512 ? LIBXSMM_GEMM_PREFETCH_NONE : LIBXSMM_GEMM_PREFETCH_SIGONLY;
  if (spec.is_batch) {
    constexpr auto kBytes = static_cast<std::int64_t>(sizeof(float));
    batch_ = libxsmm_smmdispatch_reducebatch_strd(narrow(spec.m), narrow(spec.n), narrow(spec.k),
                                                  narrow(spec.stride_a * kBytes), narrow(spec.stride_b * kBytes), &lda,
                                                  &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
  } else {
    single_ = libxsmm_smmdispatch(narrow(spec.m), narrow(spec.n), narrow(spec.k), &lda, &ldb, &ldc, &alpha, &beta,
                                  &flags, &prefetch);
  }
  DEEPER_CHECK(batch_ != nullptr || single_ != nullptr,
               fmt::format("LIBXSMM makes no product {}x{}x{}", spec.m, spec.n, spec.k));
}

std::string gemm_library_version() { return LIBXSMM_VERSION; }

std::vector<std::int64_t> channel_blocks(std::int64_t channels, Isa isa) {
  // Least time over all ways to end a run of the largest block.
  const std::span<const Block> kinds = blocks(isa);
  std::vector<double> time(static_cast<std::size_t>(channels) + 1, std::numeric_limits<double>::infinity());
  std::vector<std::int64_t> last(time.size(), 0);
  time[0] = 0;
  constexpr double kCall = 1.0;  // cost of one more block, in rows at the peak
  for (std::int64_t c = 1; c <= channels; ++c) {
    const auto offer = [&](std::int64_t rows, double efficiency) {
      if (rows > c) return;
      const double cost = time[c - rows] + static_cast<double>(rows) / efficiency + kCall;
      if (cost < time[c]) {
        time[c] = cost;
        last[c] = rows;
      }
    };
    for (const Block& kind : kinds) offer(kind.rows, kind.efficiency);
    for (std::int64_t rows = 1; rows < kinds.back().rows; ++rows) offer(rows, ragged_efficiency(rows, isa));
  }
  std::vector<std::int64_t> result;
  for (std::int64_t c = channels; c > 0; c -= last[c]) result.push_back(last[c]);
  std::sort(result.begin(), result.end(), std::greater<>());
  return result;
}

double gemm_efficiency(std::int64_t m, std::int64_t n, Isa isa) {
  double rows = ragged_efficiency(m, isa);
  for (const Block& kind : blocks(isa)) {
    if (m == kind.rows) rows = kind.efficiency;
  }
  // One column runs at half the speed of many, four at nine tenths.
  const auto columns = static_cast<double>(n);
  return rows * columns / (columns + (isa == Isa::avx512 ? 0.8 : 0.5));
}

}  // namespace deeper::backend
