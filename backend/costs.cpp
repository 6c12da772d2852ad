#include "backend/costs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/machine.h"

namespace deeper::backend {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr Costs kOtherAvx2{
    .gigahertz = 3.4,
    .fmas_per_cycle = 2,
    .product_efficiency = {0.88, 0.95, 0.97},
    .direct = {.sum_cycles = 4,
               .row_cycles = 3.4,
               .memory_bytes_per_ns = 18,
               .unahead_bytes_per_ns = 14,
               .exposed_fetch = 0.25},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 26},
    .strassen = {.sum_cycles = 4, .input_cycles = 12, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .winograd = {.beyond_products = 1,
                 .input_cycles = {3.9, 5},
                 .output_cycles = {1.2, 3.75},
                 .sum_cycles = 1.9,
                 .call_cycles = 250,
                 .memory_bytes_per_ns = 13,
                 .exposed_fetch = 0.2,
                 .fewest_pixels_by_phases = 1024},
    .onednn = {.stem_multiply_adds_per_ns = 52, .few_multiply_adds_per_ns = 46},
    .shared_bytes_per_ns = 20,
    .total_bytes_per_ns = kInfinity,
    .others_bytes_per_ns = 8,
    .again_bytes_per_ns = 60,
    .overlap = kInfinity};

constexpr Costs kOtherAvx512{
    .gigahertz = 3.4,
    .fmas_per_cycle = 2,
    .product_efficiency = {0.76, 0.86, 0.90, 0.94},
    .direct = {.sum_cycles = 4,
               .row_cycles = 3.4,
               .memory_bytes_per_ns = 18,
               .unahead_bytes_per_ns = 14,
               .exposed_fetch = 0.25},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 26},
    .strassen = {.sum_cycles = 5, .input_cycles = 12, .memory_bytes_per_ns = 18, .exposed_fetch = 0.25},
    .winograd = {.beyond_products = 0.9,
                 .input_cycles = {7, 9},
                 .output_cycles = {2.15, 6.7},
                 .sum_cycles = 1.7,
                 .call_cycles = 225,
                 .memory_bytes_per_ns = 13,
                 .exposed_fetch = 0.2,
                 .fewest_pixels_by_phases = 1024},
    .onednn = {.stem_multiply_adds_per_ns = 58, .few_multiply_adds_per_ns = 92},
    .shared_bytes_per_ns = 20,
    .total_bytes_per_ns = kInfinity,
    .others_bytes_per_ns = 8,
    .again_bytes_per_ns = 60,
    .overlap = kInfinity};

constexpr Costs kZenAvx2{
    .gigahertz = 3.7,
    .fmas_per_cycle = 2,
    .product_efficiency = {0.83, 0.9, 0.97},
    .direct = {.sum_cycles = 3.5,
               .row_cycles = 2.3,
               .memory_bytes_per_ns = 16.5,
               .unahead_bytes_per_ns = 47,
               .exposed_fetch = 0.07},
    .brgemm = {.beyond_products = 1.01, .memory_bytes_per_ns = 20},
    .strassen = {.sum_cycles = 4.2, .input_cycles = 17, .memory_bytes_per_ns = 25, .exposed_fetch = 0.035},
    .winograd = {.beyond_products = 0.96,
                 .input_cycles = {8.7, 5.6},
                 .output_cycles = {1.4, 4.4},
                 .sum_cycles = 2.1,
                 .call_cycles = 260,
                 .memory_bytes_per_ns = 26,
                 .exposed_fetch = 0.03,
                 .fewest_pixels_by_phases = 60},
    .onednn = {.stem_multiply_adds_per_ns = 49, .few_multiply_adds_per_ns = 56},
    .shared_bytes_per_ns = 18,
    .total_bytes_per_ns = 48,
    .others_bytes_per_ns = 5.4,
    .again_bytes_per_ns = 39,
    .overlap = 3.75};

constexpr Costs kZenAvx512{
    .gigahertz = 3.7,
    .fmas_per_cycle = 1,
    .product_efficiency = {0.796, 0.802, 0.94, 0.957},
    .direct = {.sum_cycles = 2,
               .row_cycles = 2.15,
               .memory_bytes_per_ns = 8.3,
               .unahead_bytes_per_ns = 51.2,
               .exposed_fetch = 0.0919},
    .brgemm = {.beyond_products = 1.1, .memory_bytes_per_ns = 25.6},
    .strassen = {.sum_cycles = 2.16, .input_cycles = 12.7, .memory_bytes_per_ns = 25.2, .exposed_fetch = 0.0297},
    .winograd = {.beyond_products = 0.993,
                 .input_cycles = {15.9, 13},
                 .output_cycles = {2.64, 8.05},
                 .sum_cycles = 1.09,
                 .call_cycles = 279,
                 .memory_bytes_per_ns = 24.2,
                 .exposed_fetch = 0.05,
                 .fewest_pixels_by_phases = 60},
    .onednn = {.stem_multiply_adds_per_ns = 55, .few_multiply_adds_per_ns = 58.4, .stem_result_bytes_per_ns = 18.7},
    .shared_bytes_per_ns = 15.9,
    .total_bytes_per_ns = 39.2,
    .others_bytes_per_ns = 10.6,
    .again_bytes_per_ns = 162,
    .overlap = 3.41};

}  // namespace

Machine this_machine() {
  constexpr int kZen2 = 0x17;
  constexpr int kZen4 = 0x19;
  static const int family = runtime::amd_family();  // virtual machines take long to say
  return family >= kZen2 && family <= kZen4 ? Machine::zen : Machine::other;
}

double Costs::weights_bytes_per_ns(double alone, std::int64_t row_parts, std::int64_t column_parts) const {
  if (row_parts > 1) return shared_bytes_per_ns;
  return std::min(alone, total_bytes_per_ns / static_cast<double>(column_parts));
}

double Costs::overlapped(double products_ns, double fetch_ns) const {
  const double longer = std::max(products_ns, fetch_ns);
  if (overlap == kInfinity || longer == 0) return longer;
  return longer * std::pow(1 + std::pow(std::min(products_ns, fetch_ns) / longer, overlap), 1 / overlap);
}

const Costs& costs_of(Machine machine, Isa isa) {
  const bool is_wide = vectors_of(isa) == Isa::avx512;
  if (machine == Machine::zen) return is_wide ? kZenAvx512 : kZenAvx2;
  return is_wide ? kOtherAvx512 : kOtherAvx2;
}

}  // namespace deeper::backend
