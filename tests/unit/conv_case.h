#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "backend/kernels/conv_kernels.h"

// A convolution with data for one of our kernels, and its answer in double.
namespace deeper::backend::testing {

struct ConvCase {
  ConvShape shape;
  std::vector<float> source;    // with the strides of the shape; channels outside a slice hold other numbers
  std::vector<float> weights;   // [M, C/groups, kh, kw]
  std::vector<float> bias;      // empty: none
  std::vector<float> residual;  // empty: none
  std::vector<float> result;    // before the run: where the residual is in place, the residual
};

struct CaseOptions {
  bool slices = false;  // source, result and residual are channel slices
  bool relu_inputs = false;
};

// The row of the kernel table with this name.
const ConvKernel& kernel_named(std::string_view name);

// AVX2, and AVX-512 where this CPU has it.
std::vector<Isa> vector_isas();

Target target_of(Isa isa, int threads = 1);

std::int64_t pick(std::mt19937& random, std::initializer_list<std::int64_t> values);
// One that every kernel applies.
ir::Activation random_activation(std::mt19937& random);
// Bias and residual, in place or not.
void add_random_epilogue(ConvShape& shape, std::mt19937& random);

// Numbers for `shape`, whose strides it sets.
ConvCase make_case(ConvShape shape, const CaseOptions& options, std::mt19937& random);

// The answer [N, H, W, M], dense.
std::vector<double> reference(const ConvCase& c);

// Runs a candidate on `threads` threads at once and gives the answer, dense. Fails the test where anything outside the
// result was written.
std::vector<float> run_kernel(const ConvKernel& kernel, const ConvCandidate& candidate, const ConvCase& c, int threads);

double relative_l2(const std::vector<float>& got, const std::vector<double>& want);

std::string describe(const ConvShape& shape);

// Holds every candidate of a kernel of plain fp32 products, on both vector instruction sets where this CPU has them and
// with an L2 of that size, to the oracle.
void expect_right(std::string_view kernel, const ConvShape& shape, bool slices, std::mt19937& random, int threads,
                  std::int64_t l2_bytes);

}  // namespace deeper::backend::testing
