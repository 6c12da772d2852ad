// Every zoo model as a plan: its memory, its file and its session.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>

#include "backend/compile.h"
#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "passes/passes.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tests/unit/allocations.h"

namespace deeper {
namespace {

namespace fs = std::filesystem;

class ZooPlan : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder = fs::temp_directory_path() / ("deeper_zoo_plan_" + GetParam());
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  ir::Graph optimized() const {
    frontend::write_zoo_model(GetParam(), folder / "model.onnx", {.seed = 1});
    ir::Graph graph = frontend::import_onnx(folder / "model.onnx", {});
    passes::run_passes(graph, passes::default_pipeline());
    return graph;
  }
};

std::vector<std::vector<float>> buffers(std::span<const runtime::Port> ports) {
  std::vector<std::vector<float>> all;
  for (const runtime::Port& port : ports) {
    all.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
  }
  return all;
}

// The outputs of two runs, which allocate nothing.
std::vector<std::vector<float>> answer(const runtime::Plan& plan) {
  const runtime::Program program(plan, backend::kernel_table());
  runtime::Session session(program, {});
  std::vector<std::vector<float>> inputs = buffers(plan.inputs);
  for (std::vector<float>& input : inputs) {
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = std::sin(0.37F * static_cast<float>(i));
  }
  std::vector<std::vector<float>> outputs = buffers(plan.outputs);
  const std::vector<std::span<const float>> input_spans(inputs.begin(), inputs.end());
  const std::vector<std::span<float>> output_spans(outputs.begin(), outputs.end());
  EXPECT_EQ(session.run(input_spans, output_spans), runtime::Status::ok);
  const std::vector<std::vector<float>> first = outputs;
  const std::int64_t before = test::allocation_count();
  EXPECT_EQ(session.run(input_spans, output_spans), runtime::Status::ok);
  EXPECT_EQ(test::allocation_count(), before) << "run() allocates";
  EXPECT_EQ(outputs, first) << "a second run gives other bits";
  return outputs;
}

TEST_P(ZooPlan, NeedsLittleMemoryAndSurvivesItsFile) {
  const ir::Graph graph = optimized();
  const backend::CompileOptions options;
  const runtime::Plan plan = backend::compile(graph, backend::detect_target(2, ""), options);
  EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.1 * static_cast<double>(plan.arena_lower_bound));
  runtime::save_plan(plan, folder / "model.plan");
  const auto start = std::chrono::steady_clock::now();
  const runtime::Plan loaded = runtime::load_plan(folder / "model.plan");
  const std::chrono::duration<double, std::milli> load = std::chrono::steady_clock::now() - start;
  RecordProperty("load_ms", std::to_string(load.count()));
  std::printf("%-20s arena %6.2f MB of %6.2f, weights %6.1f MB, load %.1f ms\n", GetParam().c_str(),
              static_cast<double>(plan.arena_bytes) / 1e6, static_cast<double>(plan.arena_lower_bound) / 1e6,
              static_cast<double>(plan.weights->bytes().size()) / 1e6, load.count());
  EXPECT_EQ(answer(loaded), answer(plan));
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const frontend::ZooEntry& entry : frontend::zoo_entries()) all.emplace_back(entry.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooPlan, testing::ValuesIn(names()), [](const auto& member) { return member.param; });

}  // namespace
}  // namespace deeper
