// Every model of the zoo compiled and run at its own size: all passes and none, one thread and two, own kernels and
// oneDNN's. The answer is the oracle's, no step is on a reference implementation, and the arena is tight.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "passes/passes.h"
#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

constexpr double kArenaSlack = 1.1;

std::size_t largest(const auto& numbers) {
  return static_cast<std::size_t>(std::ranges::max_element(numbers) - numbers.begin());
}

class ZooPlans : public testing::TestWithParam<std::string> {
 protected:
  ZooPlans() {
    const auto path = std::filesystem::temp_directory_path() / ("deeper_zoo_plans_" + GetParam() + ".onnx");
    frontend::write_zoo_model(GetParam(), path, {});
    original = frontend::import_onnx(path, {});
    std::filesystem::remove(path);
    original.prune();
    inputs = random_inputs(original, 5);
    expected = oracle(original, inputs);
  }

  // Relative L2 2e-5, or 4 times the error of the same plan with direct kernels only where that is more.
  double tolerance(const ir::Graph& graph, int threads, std::size_t output, double error) const {
    constexpr double kAlwaysGood = 2e-5;
    if (error <= kAlwaysGood) return kAlwaysGood;
    const runtime::Plan direct = compile(graph, target_for(threads), CompileOptions{.low_memory = true});
    return std::max(kAlwaysGood, 4 * relative_l2(run(direct, inputs)[output], expected[output].data));
  }

  void expect_answer(const ir::Graph& graph, int threads, Kernels kernels) {
    const runtime::Plan plan = compile_for(graph, threads, kernels);
    for (const runtime::Step& step : plan.steps) {
      EXPECT_FALSE(step.implementation.starts_with("ref") || step.implementation.starts_with("simple"))
          << step.name << ": " << step.kernel << " " << step.implementation;
    }
    EXPECT_LE(static_cast<double>(plan.arena_bytes), kArenaSlack * static_cast<double>(plan.arena_lower_bound));
    const Tensors actual = run(plan, inputs);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double error = relative_l2(actual[i], expected[i].data);
      EXPECT_LE(error, tolerance(graph, threads, i, error)) << plan.outputs[i].name;
      EXPECT_EQ(largest(actual[i]), largest(expected[i].data)) << plan.outputs[i].name;
    }
  }

  void expect_answers(const ir::Graph& graph) {
    for (const int threads : {1, 2}) {
      for (const Kernels kernels : {Kernels::all, Kernels::onednn}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, " << (kernels == Kernels::all ? "all" : "oneDNN"));
        expect_answer(graph, threads, kernels);
      }
    }
  }

  ir::Graph original;
  Tensors inputs;
  std::vector<ir::Array> expected;
};

TEST_P(ZooPlans, GiveTheOraclesAnswer) {
  {
    SCOPED_TRACE("no passes");
    expect_answers(original);
  }
  SCOPED_TRACE("all passes");
  ir::Graph graph = original;
  passes::run_passes(graph, passes::default_pipeline());
  expect_answers(graph);
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const frontend::ZooEntry& entry : frontend::zoo_entries()) result.emplace_back(entry.name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooPlans, testing::ValuesIn(names()), [](const auto& member) { return member.param; });

}  // namespace
}  // namespace deeper::backend::test
