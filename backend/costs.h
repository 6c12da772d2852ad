#pragma once

#include <array>
#include <cstdint>

#include "backend/isa.h"

// What the kernels' cost models know of a core. The shapes of the models are the kernels' own; the numbers are fitted
// to measurements in networks (benchmarks/choices) on machines of each kind.
namespace deeper::backend {

struct Costs {
  double gigahertz = 0;       // while it multiplies
  double fmas_per_cycle = 0;  // of whole vectors
  // Share of that rate that a product reaches with slices of one to four vectors.
  std::array<double, 4> product_efficiency{};

  struct Direct {
    double sum_cycles = 0;  // of a block, for each vector of sums
    double row_cycles = 0;  // for every row of a window but the first
    double memory_bytes_per_ns = 0;
    double unahead_bytes_per_ns = 0;  // where too few pixels are multiplied to fetch ahead
    double exposed_fetch = 0;         // share of the fetching that the products do not hide
  } direct;
  struct Brgemm {
    double beyond_products = 0;  // all time over that of the products
    double memory_bytes_per_ns = 0;
  } brgemm;
  struct Strassen {
    double sum_cycles = 0;    // of a product, for each vector of sums
    double input_cycles = 0;  // to sum four vectors of inputs
    double memory_bytes_per_ns = 0;
    double exposed_fetch = 0;
  } strassen;
  struct Winograd {
    double beyond_products = 0;
    // Per vector of channels and frequency, along one axis or two.
    std::array<double, 2> input_cycles{};
    std::array<double, 2> output_cycles{};
    double sum_cycles = 0;  // of a product, for each vector of sums
    // Of a slice's product: filling the pipeline, and the first weights, which nothing has fetched ahead.
    double call_cycles = 0;
    double memory_bytes_per_ns = 0;
    double exposed_fetch = 0;
    // By the phases of a stride weights are up to 9 times as large: they have to meet so many pixels for it to pay.
    std::int64_t fewest_pixels_by_phases = 0;
  } winograd;
  struct OneDnn {
    double stem_multiply_adds_per_ns = 0;  // of stems of few channels
    double few_multiply_adds_per_ns = 0;   // of 1x1 windows of few channels
    // At which a stem's result is written besides; 0: that is in the rate of the stems.
    double stem_result_bytes_per_ns = 0;
  } onednn;
  double shared_bytes_per_ns = 0;  // weights that all members of a team read
  double total_bytes_per_ns = 0;   // weights of which each member reads its part, all parts together
  double others_bytes_per_ns = 0;  // what another core wrote
  double again_bytes_per_ns = 0;   // weights that have been read just before
  double overlap = 0;              // of products and fetching, see overlapped

  // Rate at which a member gets weights, `alone` that of one by itself: those of its columns, or all where members
  // share rows.
  double weights_bytes_per_ns(double alone, std::int64_t row_parts, std::int64_t column_parts) const;

  // Time of products that fetch what the next ones need, but no faster than memory gives it: the longer of both where
  // `overlap` is infinite, and (products^overlap + fetch^overlap)^(1 / overlap) as a rule.
  double overlapped(double products_ns, double fetch_ns) const;
};

// Of vectors of `isa` (those of amx are avx512's). Machine::other has the numbers of an Intel core with AVX-512.
const Costs& costs_of(Machine machine, Isa isa);

}  // namespace deeper::backend
