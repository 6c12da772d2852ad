#pragma once

#include <cstdint>
#include <vector>

#include "backend/target.h"

// Matrix products whose left side is read once, from memory: while a slice of it is multiplied, the next one is
// fetched. Where the left side stays in cache, those of gemm.h are faster.
namespace deeper::backend {

// Rows of the slices of a left side with `rows` rows, in order: as many as registers hold, then single vectors;
// together round_up(rows, lanes), those beyond `rows` being zeros in the packed slices.
std::vector<std::int64_t> product_slices(std::int64_t rows, Isa isa);

// C[rows, columns] = A[rows, depth] B[depth, columns]. a is a slice [depth][rows]; the next one lies right behind it.
// b[column * ldb + k], c[column * ldc + row].
using Product = void (*)(const float* a, const float* b, std::int64_t ldb, float* c, std::int64_t ldc,
                         std::int64_t columns, std::int64_t depth);
// `rows` is one that product_slices gave.
Product product(std::int64_t rows, Isa isa);

// Share of the FMA peak that a product reaches.
double product_efficiency(std::int64_t rows, std::int64_t columns, Isa isa);

}  // namespace deeper::backend
