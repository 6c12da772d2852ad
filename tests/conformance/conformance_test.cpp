// Runs the ONNX project's test data (Debian's libonnx-testdata) and reports every case by name. A case may be refused
// only where unsupported/SUITE.txt says why; wrong numbers are never excused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/conformance/node_case.h"
#include "tests/conformance/unsupported_list.h"
#include "tests/support/compiled.h"

namespace deeper::conformance {
namespace {

namespace fs = std::filesystem;

const fs::path kTestData = "/usr/share/libonnx-testdata/data";

// Engines that every case runs on. The expected numbers are single precision, and so is the oracle here: rounding in
// quantization falls on the other side in double.
std::vector<Engine> engines() {
  const auto oracle = [](const ir::Graph& graph, std::span<const ir::Array> inputs) {
    return ir::evaluate(graph, inputs, {.precision = ir::Precision::f32, .threads = 0, .observe = {}, .replace = {}});
  };
  const auto compiled = [](bool with_passes, backend::Kernels kernels) {
    return [=](const ir::Graph& graph, std::span<const ir::Array> inputs) {
      return test::run_compiled(graph, inputs, {.with_passes = with_passes, .threads = 2, .kernels = kernels});
    };
  };
  return {{.name = "oracle", .run = oracle, .relative_tolerance = 1e-5, .absolute_tolerance = 1e-6},
          {.name = "plan",
           .run = compiled(true, backend::Kernels::all),
           .relative_tolerance = 1e-4,
           .absolute_tolerance = 1e-5},
          {.name = "plan without passes, oneDNN",
           .run = compiled(false, backend::Kernels::onednn),
           .relative_tolerance = 1e-4,
           .absolute_tolerance = 1e-5}};
}

class Conformance : public testing::TestWithParam<std::string> {};

TEST_P(Conformance, CasesPassOrAreListedAsUnsupported) {
  const std::vector<NodeCase> cases = find_cases(kTestData / GetParam());
  if (cases.empty()) GTEST_SKIP() << "libonnx-testdata has no " << GetParam();
  auto unsupported =
      read_unsupported(fs::path(DEEPER_SOURCE_DIR) / "tests/conformance/unsupported" / (GetParam() + ".txt"));
  const fs::path scratch = fs::path(testing::TempDir()) / "deeper_conformance";
  fs::create_directories(scratch);
  std::map<std::string_view, int> counts;
  for (const Engine& engine : engines()) {
    for (const NodeCase& node_case : cases) {
      const Result result = run_case(node_case, engine, scratch);
      const UnsupportedEntry* entry = match_unsupported(unsupported, node_case.name);
      std::string_view verdict = "failed";
      if (result.outcome == Outcome::passed && entry == nullptr) verdict = "passed";
      const Outcome excused = entry != nullptr && entry->incomparable ? Outcome::failed : Outcome::refused;
      if (result.outcome == excused && entry != nullptr) verdict = "unsupported";
      ++counts[verdict];
      fmt::print("{:<11} {}: {}{}\n", verdict, engine.name, node_case.name,
                 verdict == "unsupported" ? " (" + entry->reason + ")" : "");
      if (verdict != "failed") continue;
      const std::string text = result.outcome == Outcome::passed ? "passes, but is listed as unsupported" : result.text;
      ADD_FAILURE() << node_case.name << ": " << text;
    }
  }
  for (const UnsupportedEntry& entry : unsupported) {
    EXPECT_GT(entry.matches, 0) << "'" << entry.pattern << "' in the list matches no case";
    EXPECT_FALSE(entry.reason.empty()) << "'" << entry.pattern << "' in the list has no reason";
  }
  fmt::print("{}: {} passed, {} failed, {} unsupported\n", GetParam(), counts["passed"], counts["failed"],
             counts["unsupported"]);
  fs::remove_all(scratch);
}

INSTANTIATE_TEST_SUITE_P(, Conformance, testing::Values("node", "pytorch-converted", "pytorch-operator", "simple"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace deeper::conformance
