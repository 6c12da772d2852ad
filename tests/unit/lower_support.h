#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "backend/compile.h"
#include "backend/plan_dump.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "ir/parse.h"
#include "runtime/session.h"

// Compiles small graphs and compares what they compute with the oracle.
namespace deeper::backend::test {

using Tensors = std::vector<std::vector<float>>;

inline Target target_for(int threads) { return detect_target(threads, ""); }

inline runtime::Plan compile_for(const ir::Graph& graph, int threads, Kernels kernels = Kernels::all) {
  return compile(graph, target_for(threads), CompileOptions{.kernels = kernels});
}

inline Tensors random_inputs(const ir::Graph& graph, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensors inputs;
  for (const ir::ValueId value : graph.inputs()) {
    const ir::Type& type = graph.type(value);
    std::vector<float> data(static_cast<std::size_t>(ir::element_count(type.shape)));
    for (float& element : data) {
      element = normal(random);
      if (type.dtype == ir::DataType::boolean) element = element > 0 ? 1.0F : 0.0F;
      if (type.dtype != ir::DataType::f32) element = std::round(element * 4);
      if (type.dtype == ir::DataType::boolean) element = element > 0 ? 1.0F : 0.0F;
    }
    inputs.push_back(std::move(data));
  }
  return inputs;
}

inline std::vector<ir::Array> oracle(const ir::Graph& graph, const Tensors& inputs) {
  std::vector<ir::Array> arrays;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    arrays.push_back({graph.shape(graph.inputs()[i]), {inputs[i].begin(), inputs[i].end()}});
  }
  return ir::evaluate(graph, arrays);
}

inline Tensors run(const runtime::Plan& plan, const Tensors& inputs) {
  const runtime::Program program(plan, kernel_table());
  runtime::Session session(program, runtime::SessionOptions{});
  Tensors outputs;
  for (const runtime::Port& port : plan.outputs) {
    outputs.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)), NAN);
  }
  const std::vector<std::span<const float>> in(inputs.begin(), inputs.end());
  const std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  EXPECT_EQ(session.run(in, out), runtime::Status::ok);
  EXPECT_EQ(session.run(in, out), runtime::Status::ok);
  return outputs;
}

inline double relative_l2(const std::vector<float>& actual, const std::vector<double>& expected) {
  if (actual.size() != expected.size()) return INFINITY;
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(error / std::max(norm, 1e-30));
}

// The graph compiled for `threads` agrees with the oracle; gives the plan.
inline runtime::Plan expect_right(const ir::Graph& graph, int threads, double tolerance = 2e-6,
                                  Kernels kernels = Kernels::all) {
  const Tensors inputs = random_inputs(graph, 7);
  runtime::Plan plan = compile_for(graph, threads, kernels);
  const std::vector<ir::Array> expected = oracle(graph, inputs);
  const Tensors actual = run(plan, inputs);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(relative_l2(actual[i], expected[i].data), tolerance) << "output " << i << ", " << threads << " threads\n"
                                                                   << dump_plan(plan);
  }
  return plan;
}

inline void expect_right_everywhere(const ir::Graph& graph) {
  for (const int threads : {1, 2}) {
    expect_right(graph, threads, 2e-6, Kernels::all);
    expect_right(graph, threads, 2e-6, Kernels::onednn);
  }
}

inline void expect_right(std::string_view text) {
  const ir::Graph graph = ir::parse(text);
  expect_right_everywhere(graph);
}

inline std::size_t count_steps(const runtime::Plan& plan, std::string_view kernel) {
  std::size_t count = 0;
  for (const runtime::Step& step : plan.steps) count += step.kernel.starts_with(kernel) ? 1 : 0;
  return count;
}

}  // namespace deeper::backend::test
