#include "backend/costs.h"

#include "runtime/machine.h"

namespace deeper::backend {
namespace {

constexpr Costs kOtherAvx2{
    .gigahertz = 3.4,
    .fmas_per_cycle = 2,
    .product_efficiency = {0.88, 0.95, 0.97},
    .direct = {.sum_cycles = 4, .row_cycles = 3.4, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 26},
    .strassen = {.sum_cycles = 4, .input_cycles = 12, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .winograd = {.beyond_products = 1,
                 .input_cycles = {3.9, 5},
                 .output_cycles = {1.2, 3.75},
                 .sum_cycles = 1.9,
                 .call_cycles = 250,
                 .memory_bytes_per_ns = 13,
                 .exposed_fetch = 0.2},
    .onednn = {.stem_multiply_adds_per_ns = 52, .few_multiply_adds_per_ns = 46},
    .shared_bytes_per_ns = 20,
    .again_bytes_per_ns = 60};

constexpr Costs kOtherAvx512{
    .gigahertz = 3.4,
    .fmas_per_cycle = 2,
    .product_efficiency = {0.76, 0.86, 0.90, 0.94},
    .direct = {.sum_cycles = 4, .row_cycles = 3.4, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 26},
    .strassen = {.sum_cycles = 5, .input_cycles = 12, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .winograd = {.beyond_products = 0.9,
                 .input_cycles = {7, 9},
                 .output_cycles = {2.15, 6.7},
                 .sum_cycles = 1.7,
                 .call_cycles = 225,
                 .memory_bytes_per_ns = 13,
                 .exposed_fetch = 0.2},
    .onednn = {.stem_multiply_adds_per_ns = 58, .few_multiply_adds_per_ns = 92},
    .shared_bytes_per_ns = 20,
    .again_bytes_per_ns = 60};

constexpr Costs kZenAvx2{
    .gigahertz = 3.69,
    .fmas_per_cycle = 2,
    .product_efficiency = {0.88, 0.95, 0.97},
    .direct = {.sum_cycles = 4, .row_cycles = 3.4, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 26},
    .strassen = {.sum_cycles = 4, .input_cycles = 12, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .winograd = {.beyond_products = 1,
                 .input_cycles = {3.9, 5},
                 .output_cycles = {1.2, 3.75},
                 .sum_cycles = 1.9,
                 .call_cycles = 250,
                 .memory_bytes_per_ns = 13,
                 .exposed_fetch = 0.2},
    .onednn = {.stem_multiply_adds_per_ns = 52, .few_multiply_adds_per_ns = 46},
    .shared_bytes_per_ns = 20,
    .again_bytes_per_ns = 60};

constexpr Costs kZenAvx512{
    .gigahertz = 3.69,
    .fmas_per_cycle = 1,
    .product_efficiency = {0.97, 0.96, 0.97, 0.96},
    .direct = {.sum_cycles = 4, .row_cycles = 3.4, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 26},
    .strassen = {.sum_cycles = 5, .input_cycles = 12, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .winograd = {.beyond_products = 1,
                 .input_cycles = {7, 9},
                 .output_cycles = {2.15, 6.7},
                 .sum_cycles = 1.7,
                 .call_cycles = 225,
                 .memory_bytes_per_ns = 13,
                 .exposed_fetch = 0.2},
    .onednn = {.stem_multiply_adds_per_ns = 58, .few_multiply_adds_per_ns = 50},
    .shared_bytes_per_ns = 20,
    .again_bytes_per_ns = 60};

}  // namespace

Machine this_machine() {
  constexpr int kZen2 = 0x17;
  constexpr int kZen4 = 0x19;
  static const int family = runtime::amd_family();  // virtual machines take long to say
  return family >= kZen2 && family <= kZen4 ? Machine::zen : Machine::other;
}

const Costs& costs_of(Machine machine, Isa isa) {
  const bool is_wide = vectors_of(isa) == Isa::avx512;
  if (machine == Machine::zen) return is_wide ? kZenAvx512 : kZenAvx2;
  return is_wide ? kOtherAvx512 : kOtherAvx2;
}

}  // namespace deeper::backend
