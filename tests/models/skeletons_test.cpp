// Exporters' own graphs, with seeded weights put back, against ONNX Runtime's answers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "frontend/import.h"
#include "ir/verify.h"
#include "tests/models/model_folder.h"
#include "tests/models/npy.h"
#include "tests/support/accuracy.h"

namespace deeper::models {
namespace {

class Skeletons : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Skeletons);

std::filesystem::path skeletons_folder() { return models_folder() / "skeletons"; }

nlohmann::json reference_of(const std::string& name) {
  return nlohmann::json::parse(std::ifstream(skeletons_folder() / "refs.json")).at(name);
}

// Outputs of one evaluation against the references, within their tolerance.
void expect_references(const std::string& name, std::string_view how, const std::vector<ir::Array>& outputs) {
  const nlohmann::json reference = reference_of(name);
  ASSERT_EQ(outputs.size(), reference.at("outputs").size());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const double error =
        relative_error(outputs[k], read_npy(skeletons_folder() / "refs" / fmt::format("{}.{}.npy", name, k)));
    fmt::print("{} output {}, {}: {:.2e}\n", name, k, how, error);
    EXPECT_LE(error, reference.at("tolerance").get<double>());
  }
}

TEST_P(Skeletons, AgreeWithTheirReferenceOnTheOracleAndCompiled) {
  const std::string& name = GetParam();
  const Refilled files = refill(name);
  const std::vector<ir::Array> inputs{read_npy(files.input())};
  frontend::ImportOptions options;
  options.input_shapes["input"] = inputs[0].shape;
  const ir::Graph graph = frontend::import_onnx(files.model(), options);
  ir::verify(graph, ir::Form::imported);
  const nlohmann::json outputs = reference_of(name).at("outputs");
  for (std::size_t k = 0; k < outputs.size(); ++k) EXPECT_EQ(graph.outputs()[k].name, outputs[k][0].get<std::string>());
  const std::vector<ir::Array> oracle = ir::evaluate(graph, inputs);
  expect_references(name, "oracle", oracle);
  test::expect_accurate(graph, inputs, oracle, {});
  expect_references(name, "all passes",
                    test::run_compiled(graph, inputs, {.with_passes = true, .kernels = backend::Kernels::all}));
  expect_references(name, "oneDNN, no passes",
                    test::run_compiled(graph, inputs, {.with_passes = false, .kernels = backend::Kernels::onednn}));
}

INSTANTIATE_TEST_SUITE_P(All, Skeletons, testing::ValuesIn(skeleton_names()),
                         [](const auto& param) { return param.param; });

TEST(SkeletonModels, AreThere) {
  if (skeleton_names().empty()) GTEST_SKIP() << "no models beside the repository";
  EXPECT_EQ(skeleton_names().size(), 42U);
}

}  // namespace
}  // namespace deeper::models
