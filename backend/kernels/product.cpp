#include "backend/kernels/product.h"

#include <algorithm>

namespace deeper::backend {
namespace {

constexpr std::int64_t kLine = 16;  // floats in a cache line
constexpr std::int64_t kSteps = 4;  // of depth between fetches

}  // namespace

std::vector<std::int64_t> product_slices(std::int64_t rows, Isa isa) {
  const std::int64_t lanes = product_kernels(isa).lanes;
  std::vector<std::int64_t> slices;
  for (; rows > lanes; rows -= 2 * lanes) slices.push_back(2 * lanes);
  if (rows > 0) slices.push_back(lanes);
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

std::vector<std::int64_t> depth_parts(std::int64_t depth) {
  constexpr std::int64_t kLongest = 96;
  constexpr std::int64_t kShortest = 32;
  std::int64_t length = depth;
  for (std::int64_t count = 1; depth / count >= kShortest && length > kLongest; ++count) {
    if (depth % (count * kSteps) == 0) length = depth / count;
  }
  std::vector<std::int64_t> offsets;
  for (std::int64_t offset = 0; offset < depth; offset += length) offsets.push_back(offset);
  return offsets;
}

void multiply(const ProductKernels& kernels, std::int64_t rows, const float* a, const float* b, std::int64_t ldb,
              float* c, std::int64_t ldc, std::int64_t columns, std::int64_t depth,
              std::span<const std::int64_t> parts) {
  const std::int64_t vectors = rows / kernels.lanes;
  const std::int64_t most = kernels.most_columns[vectors - 1];
  const std::int64_t count = (columns + most - 1) / most;
  FetchAhead ahead(a + rows * depth, rows, depth, count);
  ProductBlock block;
  block.a = a;
  block.taps = parts.data();
  block.tap_count = static_cast<std::int64_t>(parts.size());
  block.depth = depth / block.tap_count;
  block.sums_taps_apart = parts.size() > 1;
  const std::int64_t each = columns / count;
  const std::int64_t larger = columns % count;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t now = each + (i < larger ? 1 : 0);
    for (std::int64_t j = 0; j < now; ++j, b += ldb, c += ldc) {
      block.columns[j] = b;
      block.results[j] = c;
    }
    ahead.give(block);
    kernels.multiply[vectors - 1][now - 1](block);
  }
}

double product_efficiency(std::int64_t rows, std::int64_t columns, Isa isa) {
  // Two vectors reach their best from four columns on, one vector from eight.
  const bool is_wide = rows > product_kernels(isa).lanes;
  const double whole = is_wide ? 4 : 8;
  const double best = is_wide ? 0.96 : 0.88;
  constexpr double kWiderVectors = 0.85;  // loads bound them sooner
  return (isa == Isa::avx512 ? kWiderVectors : 1.0) * best * std::min(1.0, static_cast<double>(columns) / whole);
}

}  // namespace deeper::backend
