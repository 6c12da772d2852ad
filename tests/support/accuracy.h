#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "tests/support/compiled.h"

// Whole networks in fp32 against the oracle in double.
namespace deeper::test {

inline double relative_l2(const ir::Array& actual, const ir::Array& expected) {
  if (actual.shape != expected.shape) return INFINITY;
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    difference += std::pow(actual.data[i] - expected.data[i], 2);
    norm += expected.data[i] * expected.data[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-30));
}

inline std::size_t largest(const ir::Array& array) {
  return static_cast<std::size_t>(std::max_element(array.data.begin(), array.data.end()) - array.data.begin());
}

// The own kernels' answer has the oracle's class and at most 4 times the error of the same plan with direct kernels
// only (relative L2 2e-5 where that is more).
inline void expect_accurate(const ir::Graph& graph, std::span<const ir::Array> inputs,
                            std::span<const ir::Array> oracle, const CompiledOptions& options) {
  constexpr double kAlwaysGood = 2e-5;
  constexpr double kTimesDirect = 4;
  CompiledOptions direct = options;
  direct.direct_only = true;
  const std::vector<ir::Array> got = run_compiled(graph, inputs, options);
  const std::vector<ir::Array> plain = run_compiled(graph, inputs, direct);
  ASSERT_EQ(got.size(), oracle.size());
  for (std::size_t k = 0; k < oracle.size(); ++k) {
    const std::string& name = graph.outputs()[k].name;
    const double error = relative_l2(got[k], oracle[k]);
    const double direct_error = relative_l2(plain[k], oracle[k]);
    std::printf("%s, %d threads: %.2e, direct kernels only %.2e\n", name.c_str(), options.threads, error, direct_error);
    EXPECT_LE(error, std::max(kAlwaysGood, kTimesDirect * direct_error)) << name;
    EXPECT_EQ(largest(got[k]), largest(oracle[k])) << name;
  }
}

}  // namespace deeper::test
