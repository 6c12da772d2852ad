#include "backend/kernels/product.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "backend/kernels/rounding.h"

namespace deeper::backend {
namespace {

constexpr std::int64_t kLine = 16;  // floats in a cache line
constexpr std::int64_t kSteps = 4;  // of depth between fetches

// Share of the FMA peak that slices of so many vectors reach with many columns, by and large; 0: there are none. Not by
// the machine: packed weights go by it.
double slice_efficiency(std::int64_t vectors, std::int64_t depth, Isa isa) {
  if (isa == Isa::avx512) return std::array{0.70, 0.88, 0.92, 0.94}[static_cast<std::size_t>(vectors - 1)];
  // Three vectors and four columns have the fewest loads, but more of them from the slice, which L1 is to hold then.
  constexpr std::int64_t kDeep = 256;
  if (vectors == 3 && depth > kDeep) return 0;
  return std::array{0.88, 0.95, 0.97, 0.0}[static_cast<std::size_t>(vectors - 1)];
}

}  // namespace

std::vector<std::int64_t> product_slices(std::int64_t rows, std::int64_t depth, Isa isa) {
  const std::int64_t lanes = product_kernels(isa).lanes;
  const std::int64_t vectors = (rows + lanes - 1) / lanes;
  // Least time over all ways to end with a slice of so many vectors.
  std::vector<double> time(static_cast<std::size_t>(vectors) + 1, std::numeric_limits<double>::infinity());
  std::vector<std::int64_t> last(time.size(), 0);
  time[0] = 0;
  constexpr double kSlice = 0.05;  // cost of one more slice, in vectors at the peak
  for (std::int64_t end = 1; end <= vectors; ++end) {
    for (std::int64_t size = 1; size <= std::min<std::int64_t>(end, kMostVectors); ++size) {
      const double efficiency = slice_efficiency(size, depth, isa);
      if (efficiency == 0) continue;
      const double cost = time[end - size] + static_cast<double>(size) / efficiency + kSlice;
      if (cost >= time[end]) continue;
      time[end] = cost;
      last[end] = size;
    }
  }
  std::vector<std::int64_t> slices;
  for (std::int64_t end = vectors; end > 0; end -= last[end]) slices.push_back(last[end] * lanes);
  std::sort(slices.begin(), slices.end(), std::greater<>());
  return slices;
}

FetchAhead::FetchAhead(const float* next, std::int64_t rows, std::int64_t depth, std::int64_t blocks)
    : next_(next), depth_(depth), lines_(std::max<std::int64_t>(1, kSteps * rows / kLine)) {
  at_once_ = (lines_ + blocks - 1) / blocks;
}

void FetchAhead::give(ProductBlock& block) {
  block.next = next_;
  block.lines = std::min(lines_, at_once_);
  next_ += depth_ / kSteps * block.lines * kLine;
  lines_ -= block.lines;
}

ProductDivision divide_products(const ProductKernels& kernels, std::int64_t columns, std::int64_t depth,
                                std::int64_t longest_part) {
  ProductDivision division;
  for (std::int64_t vectors = 1; vectors <= kMostVectors; ++vectors) {
    const std::int64_t most = kernels.most_columns[vectors - 1];
    if (most == 0) continue;
    const std::int64_t blocks = ceil_div(columns, most);
    division[vectors - 1] = {.blocks = blocks,
                             .columns = columns / blocks,
                             .larger = columns % blocks,
                             .depth = part_of_depth(vectors * kernels.lanes, depth, longest_part)};
  }
  return division;
}

void multiply(const ProductKernels& kernels, const ProductDivision& division, const Product& product) {
  const std::int64_t vectors = product.rows / kernels.lanes;
  const ProductParts& parts = division[vectors - 1];
  const auto& kernel = kernels.multiply[vectors - 1];
  constexpr std::int64_t kNoTaps = 0;
  ProductBlock block;
  block.taps = &kNoTaps;
  for (std::int64_t k = 0; k < product.depth; k += parts.depth) {
    block.a = product.a + k * product.rows;
    block.depth = std::min(parts.depth, product.depth - k);
    block.adds = k > 0 || product.adds;
    FetchAhead ahead(block.a + block.depth * product.rows, product.rows, block.depth, parts.blocks);
    const float* b = product.b + k;
    float* c = product.c;
    for (std::int64_t i = 0; i < parts.blocks; ++i) {
      const std::int64_t columns = parts.columns + (i < parts.larger ? 1 : 0);
      for (std::int64_t j = 0; j < columns; ++j, b += product.ldb, c += product.ldc) {
        block.columns[j] = b;
        block.results[j] = c;
      }
      ahead.give(block);
      kernel[columns - 1](block);
    }
  }
}

std::int64_t part_of_depth(std::int64_t rows, std::int64_t depth, std::int64_t longest) {
  constexpr std::int64_t kFloatsInL1 = 6 << 10;
  const std::int64_t most = std::min(longest, kFloatsInL1 / rows);
  const std::int64_t count = (depth + most - 1) / most;
  return ((depth + count - 1) / count + kSteps - 1) / kSteps * kSteps;
}

double product_cycles(std::int64_t rows, std::int64_t columns, std::int64_t depth, Isa isa, const Costs& costs) {
  // Eight sums hide the latency of the FMA units.
  constexpr std::int64_t kEnough = 8;
  const std::int64_t vectors = ceil_div(rows, product_kernels(isa).lanes);
  const double sums = static_cast<double>(vectors * columns);
  const double efficiency = costs.product_efficiency[static_cast<std::size_t>(vectors - 1)] *
                            std::min(1.0, sums / static_cast<double>(kEnough));
  return sums * static_cast<double>(depth) / costs.fmas_per_cycle / efficiency;
}

}  // namespace deeper::backend
