#include "benchmarks/fma_rate.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>

namespace deeper::benchmarks {
namespace {

constexpr int kIterations = 20000;
constexpr int kChains = 12;

// Twelve independent chains hide the latency of two units; the empty assembly keeps each in its register.
__attribute__((target("avx2,fma"))) void chains_avx2() {
  __m256 a0{}, a1{}, a2{}, a3{}, a4{}, a5{}, a6{}, a7{}, a8{}, a9{}, a10{}, a11{};
  const __m256 b = _mm256_set1_ps(0.5F);
  for (int i = 0; i < kIterations; ++i) {
    a0 = _mm256_fmadd_ps(a0, b, b), a1 = _mm256_fmadd_ps(a1, b, b), a2 = _mm256_fmadd_ps(a2, b, b);
    a3 = _mm256_fmadd_ps(a3, b, b), a4 = _mm256_fmadd_ps(a4, b, b), a5 = _mm256_fmadd_ps(a5, b, b);
    a6 = _mm256_fmadd_ps(a6, b, b), a7 = _mm256_fmadd_ps(a7, b, b), a8 = _mm256_fmadd_ps(a8, b, b);
    a9 = _mm256_fmadd_ps(a9, b, b), a10 = _mm256_fmadd_ps(a10, b, b), a11 = _mm256_fmadd_ps(a11, b, b);
    asm volatile(""
                 : "+x"(a0), "+x"(a1), "+x"(a2), "+x"(a3), "+x"(a4), "+x"(a5), "+x"(a6), "+x"(a7), "+x"(a8), "+x"(a9),
                   "+x"(a10), "+x"(a11));
  }
}

__attribute__((target("avx512f"))) void chains_avx512() {
  __m512 a0{}, a1{}, a2{}, a3{}, a4{}, a5{}, a6{}, a7{}, a8{}, a9{}, a10{}, a11{};
  const __m512 b = _mm512_set1_ps(0.5F);
  for (int i = 0; i < kIterations; ++i) {
    a0 = _mm512_fmadd_ps(a0, b, b), a1 = _mm512_fmadd_ps(a1, b, b), a2 = _mm512_fmadd_ps(a2, b, b);
    a3 = _mm512_fmadd_ps(a3, b, b), a4 = _mm512_fmadd_ps(a4, b, b), a5 = _mm512_fmadd_ps(a5, b, b);
    a6 = _mm512_fmadd_ps(a6, b, b), a7 = _mm512_fmadd_ps(a7, b, b), a8 = _mm512_fmadd_ps(a8, b, b);
    a9 = _mm512_fmadd_ps(a9, b, b), a10 = _mm512_fmadd_ps(a10, b, b), a11 = _mm512_fmadd_ps(a11, b, b);
    asm volatile(""
                 : "+v"(a0), "+v"(a1), "+v"(a2), "+v"(a3), "+v"(a4), "+v"(a5), "+v"(a6), "+v"(a7), "+v"(a8), "+v"(a9),
                   "+v"(a10), "+v"(a11));
  }
}

}  // namespace

double measure_fma_rate(backend::Isa isa) {
  using Clock = std::chrono::steady_clock;
  const bool wide = isa >= backend::Isa::avx512;
  const double multiply_adds = static_cast<double>(kIterations) * kChains * (wide ? 16 : 8);
  double best = 0;
  constexpr int kRuns = 150;
  for (int run = 0; run < kRuns; ++run) {
    const Clock::time_point start = Clock::now();
    wide ? chains_avx512() : chains_avx2();
    const std::chrono::duration<double, std::nano> taken = Clock::now() - start;
    best = std::max(best, multiply_adds / taken.count());
  }
  return best;
}

}  // namespace deeper::benchmarks
