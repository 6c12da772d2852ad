#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "ir/evaluate.h"

// Random inputs for a graph, and how far two sets of results are apart.
namespace deeper::test {

// f32: uniform in [-2, 2]; integers: 0 or 1 (valid as indices of any axis longer than one), bool likewise.
inline std::vector<ir::Array> random_inputs(const ir::Graph& graph, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> number(-2, 2);
  std::bernoulli_distribution bit;
  std::vector<ir::Array> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    const ir::Type& type = graph.type(id);
    ir::Array array{type.shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(type.shape)))};
    for (double& x : array.data) x = type.dtype == ir::DataType::f32 ? number(random) : bit(random);
    inputs.push_back(std::move(array));
  }
  return inputs;
}

// Largest difference, as a part of the largest magnitude in `expected` (at least 1e-30); where `expected` is not
// finite `actual` must be the same. Infinity where shapes differ.
inline double relative_difference(const ir::Array& actual, const ir::Array& expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (actual.shape != expected.shape) return kInfinity;
  double largest = 1e-30;
  double difference = 0;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double a = actual.data[i];
    const double e = expected.data[i];
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    if (!std::isfinite(a) || !std::isfinite(e)) return kInfinity;
    difference = std::max(difference, std::abs(a - e));
  }
  for (const double e : expected.data) {
    if (std::isfinite(e)) largest = std::max(largest, std::abs(e));
  }
  return difference / largest;
}

// Both graphs on the same random inputs: same outputs by name and order, numbers within `tolerance`.
inline void expect_agreement(const ir::Graph& actual, const ir::Graph& expected, double tolerance) {
  ASSERT_EQ(actual.inputs().size(), expected.inputs().size());
  ASSERT_EQ(actual.outputs().size(), expected.outputs().size());
  const std::vector<ir::Array> inputs = random_inputs(expected, 1);
  const std::vector<ir::Array> got = ir::evaluate(actual, inputs);
  const std::vector<ir::Array> want = ir::evaluate(expected, inputs);
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::string& name = expected.outputs()[i].name;
    EXPECT_EQ(actual.outputs()[i].name, name);
    EXPECT_LE(relative_difference(got[i], want[i]), tolerance) << "output '" << name << "'";
  }
}

}  // namespace deeper::test
