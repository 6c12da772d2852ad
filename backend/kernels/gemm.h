#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/target.h"

// Small matrix products made at run time by LIBXSMM for exactly the sizes asked for.
namespace deeper::backend {

// C[m, n] = (accumulate ? C : 0) + sum over b < count of A_b[m, k] B_b[k, n], all column-major: element (i, j) of A is
// a[i + j * lda]. A_b = A + b * stride_a, B_b = B + b * stride_b, in elements.
struct GemmSpec {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t lda = 0;
  std::int64_t ldb = 0;
  std::int64_t ldc = 0;
  bool accumulate = false;
  bool is_batch = false;  // false: count is always 1 and the strides mean nothing
  std::int64_t stride_a = 0;
  std::int64_t stride_b = 0;
};

class Gemm {
 public:
  Gemm() = default;
  // Throws InternalError where LIBXSMM cannot make the product. Equal specs share their code.
  Gemm(const GemmSpec& spec, Isa isa);

  void operator()(const float* a, const float* b, float* c, std::int64_t count) const noexcept {
    if (batch_ != nullptr) {
      const auto number = static_cast<unsigned long long>(count);
      batch_(a, b, c, &number);
    } else {
      single_(a, b, c);
    }
  }

 private:
  void (*single_)(const float* a, const float* b, float* c, ...) = nullptr;
  void (*batch_)(const float* a, const float* b, float* c, const unsigned long long* count, ...) = nullptr;
};

// "1.17-3651": of LIBXSMM.
std::string gemm_library_version();

// Cuts `channels` into blocks of rows that the products run fast with.
std::vector<std::int64_t> channel_blocks(std::int64_t channels, Isa isa);

// Share of the FMA peak that a product of m rows and n columns reaches, from measurements; for cost models.
double gemm_efficiency(std::int64_t m, std::int64_t n, Isa isa);

}  // namespace deeper::backend
