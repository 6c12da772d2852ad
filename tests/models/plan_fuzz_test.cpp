// A network's plan with numbers of its description replaced: it is refused, or it runs inside its own memory. Crashes
// and the sanitizers tell otherwise.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <random>

#include "backend/compile.h"
#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "passes/passes.h"
#include "runtime/plan_json.h"
#include "runtime/session.h"

namespace deeper {
namespace {

constexpr int kRounds = 300;

runtime::Plan make_plan(backend::Kernels kernels) {
  const auto path = std::filesystem::temp_directory_path() / "deeper_plan_fuzz.onnx";
  frontend::write_zoo_model("googlenet", path, {.seed = 1, .size = 80});
  ir::Graph graph = frontend::import_onnx(path, {});
  std::filesystem::remove(path);
  passes::run_passes(graph, passes::default_pipeline());
  const backend::CompileOptions options{.kernels = kernels};
  return backend::compile(graph, backend::detect_target(1, ""), options);
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// Where numbers begin that are no part of a name.
std::vector<std::size_t> numbers_in(const std::string& text) {
  std::vector<std::size_t> begins;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool begins_here = text[i - 1] == '[' || text[i - 1] == ',' || text[i - 1] == ':' || text[i - 1] == '=';
    if (is_digit(text[i]) && begins_here) begins.push_back(i);
  }
  return begins;
}

std::string with_another_number(std::string text, std::size_t begin, std::mt19937& random) {
  constexpr std::string_view kNumbers[] = {"0",
                                           "-1",
                                           "1",
                                           "2",
                                           "3",
                                           "7",
                                           "16",
                                           "64",
                                           "2147483648",
                                           "4611686018427387904",
                                           "9223372036854775807",
                                           "-9223372036854775808"};
  std::size_t end = begin;
  while (is_digit(text[end])) ++end;
  return text.replace(begin, end - begin, kNumbers[random() % std::size(kNumbers)]);
}

// True where it ran.
bool run(const std::string& description, const std::shared_ptr<const runtime::Weights>& weights) {
  try {
    runtime::Plan plan = runtime::plan_from_json(description);
    plan.weights = weights;
    if (plan.threads != 1) return false;
    const runtime::Program program(std::move(plan), backend::kernel_table());
    runtime::Session session(program, {});
    std::vector<std::vector<float>> outputs;
    for (const runtime::Port& port : program.plan().outputs) {
      outputs.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
    }
    std::vector<std::vector<float>> inputs;
    for (const runtime::Port& port : program.plan().inputs) {
      inputs.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
    }
    const std::vector<std::span<const float>> from(inputs.begin(), inputs.end());
    const std::vector<std::span<float>> to(outputs.begin(), outputs.end());
    return session.run(from, to) == runtime::Status::ok;
  } catch (const ModelError&) {
    return false;
  }
}

void fuzz(backend::Kernels kernels) {
  const runtime::Plan plan = make_plan(kernels);
  const std::string description = runtime::plan_to_json(plan);
  const std::vector<std::size_t> numbers = numbers_in(description);
  ASSERT_TRUE(run(description, plan.weights));
  std::mt19937 random(9);
  int ran = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t at = numbers[random() % numbers.size()];
    if (run(with_another_number(description, at, random), plan.weights)) ++ran;
  }
  EXPECT_GT(ran, kRounds / 20);
  EXPECT_LT(ran, kRounds);
}

TEST(PlanFuzz, OwnKernels) { fuzz(backend::Kernels::all); }
TEST(PlanFuzz, OneDnn) { fuzz(backend::Kernels::onednn); }

}  // namespace
}  // namespace deeper
