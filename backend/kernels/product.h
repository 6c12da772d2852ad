#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/costs.h"
#include "backend/kernels/epilogue.h"

// Matrix products whose left side is read once, from memory: while a slice of it is multiplied, the next one is
// fetched. Where the left side stays in cache, those of gemm.h are faster.
namespace deeper::backend {

inline constexpr int kMostColumns = 12;
inline constexpr int kMostVectors = 4;

// One block of columns: sums[row, j] = sum over taps t and k < depth of a[(t * depth + k) * rows + row]
// columns[j][taps[t] + k], which goes to results[j][row].
struct ProductBlock {
  const float* a = nullptr;  // a slice; the next one lies behind it
  std::array<const float*, kMostColumns> columns;
  const std::int64_t* taps = nullptr;
  std::int64_t tap_count = 1;
  std::int64_t depth = 0;
  std::array<float*, kMostColumns> results;
  bool adds = false;  // to what `results` hold, before the epilogue; with one tap only
  // Dense sums [column][row] of other products, which are added to these before the epilogue; with one tap only, and
  // may be null. With the first of them the sums go to `kept`, as dense, where that is not null.
  std::array<const float*, 2> others{};
  float* kept = nullptr;
  // Cache lines to fetch from `next` on with every fourth step of depth.
  const float* next = nullptr;
  std::int64_t lines = 0;
  // Where there is an epilogue: results[j][row] = activation(sums + bias[row] + residuals[j][row]); bias and residuals
  // may be null.
  const Epilogue* epilogue = nullptr;
  const float* bias = nullptr;
  std::array<const float*, kMostColumns> residuals;
  bool has_residuals = false;
};

// Products for slices of one to four vectors of rows and 1 to most_columns columns (0: no such slices).
struct ProductKernels {
  using Run = void (*)(const ProductBlock& block);
  std::int64_t lanes = 1;
  std::array<std::int64_t, kMostVectors> most_columns;               // [vectors - 1]
  std::array<std::array<Run, kMostColumns>, kMostVectors> multiply;  // [vectors - 1][columns - 1]
};
const ProductKernels& product_kernels(Isa isa);

// Rows of the slices of a left side with `rows` rows, in order, the largest first; together round_up(rows, lanes),
// those beyond `rows` being zeros in the packed slices.
std::vector<std::int64_t> product_slices(std::int64_t rows, std::int64_t depth, Isa isa);

// Shares of what a slice of `rows` rows and `depth` steps fetches ahead, spread over its blocks of columns.
class FetchAhead {
 public:
  FetchAhead(const float* next, std::int64_t rows, std::int64_t depth, std::int64_t blocks);
  // Sets the share of the next block.
  void give(ProductBlock& block);

 private:
  const float* next_;
  std::int64_t depth_;
  std::int64_t lines_;
  std::int64_t at_once_;
};

// Steps of the equal parts, the last of which may be shorter, in which the depth of a slice is summed: what they take
// of the slice stays in L1 while all columns meet it. At most `longest`: short parts keep small what is rounded.
std::int64_t part_of_depth(std::int64_t rows, std::int64_t depth, std::int64_t longest);

// How products of slices of so many vectors of rows are taken apart: into blocks of columns, `larger` of which have one
// more than the others, and parts of the depth, see part_of_depth.
struct ProductParts {
  std::int64_t blocks = 0;
  std::int64_t columns = 0;
  std::int64_t larger = 0;
  std::int64_t depth = 0;
};
using ProductDivision = std::array<ProductParts, kMostVectors>;  // [vectors - 1]
ProductDivision divide_products(const ProductKernels& kernels, std::int64_t columns, std::int64_t depth,
                                std::int64_t longest_part);

// C[rows, columns] = A[rows, depth] B[depth, columns]; b[column * ldb + k], c[column * ldc + row].
struct Product {
  std::int64_t rows = 0;     // of a slice
  const float* a = nullptr;  // the slice; the next one lies behind it
  const float* b = nullptr;
  std::int64_t ldb = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
  std::int64_t depth = 0;
  bool adds = false;  // to what C holds
};
void multiply(const ProductKernels& kernels, const ProductDivision& division, const Product& product);

// Cycles of a slice's product at the rate it reaches.
double product_cycles(std::int64_t rows, std::int64_t columns, std::int64_t depth, Isa isa, const Costs& costs);

}  // namespace deeper::backend
