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
#include "tests/support/compiled.h"

namespace deeper::models {
namespace {

class Skeletons : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Skeletons);

TEST_P(Skeletons, AgreeWithTheirReference) {
  const std::string& name = GetParam();
  const std::filesystem::path folder = models_folder() / "skeletons";
  const nlohmann::json reference = nlohmann::json::parse(std::ifstream(folder / "refs.json")).at(name);
  const Refilled files = refill(name);
  const ir::Array input = read_npy(files.input);
  frontend::ImportOptions options;
  options.input_shapes["input"] = input.shape;
  const frontend::Imported imported = frontend::import_model(files.model, options);
  ir::verify(imported.graph, ir::Form::imported);
  const std::vector<ir::Array> outputs = ir::evaluate(imported.graph, std::vector{input});
  ASSERT_EQ(outputs.size(), reference.at("outputs").size());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    EXPECT_EQ(imported.outputs[k].name, reference.at("outputs")[k][0]);
    const double error = relative_error(outputs[k], read_npy(folder / "refs" / fmt::format("{}.{}.npy", name, k)));
    fmt::print("{} output {}: {:.2e}\n", name, k, error);
    EXPECT_LE(error, reference.at("tolerance").get<double>());
  }
}

TEST_P(Skeletons, CompiledOnesAgreeWithTheirReference) {
  const std::string& name = GetParam();
  const std::filesystem::path folder = models_folder() / "skeletons";
  const nlohmann::json reference = nlohmann::json::parse(std::ifstream(folder / "refs.json")).at(name);
  const Refilled files = refill(name);
  const std::vector<ir::Array> inputs{read_npy(files.input)};
  frontend::ImportOptions options;
  options.input_shapes["input"] = inputs[0].shape;
  const ir::Graph graph = frontend::import_onnx(files.model, options);
  for (const bool with_passes : {true, false}) {
    const backend::Kernels kernels = with_passes ? backend::Kernels::all : backend::Kernels::onednn;
    const auto outputs = test::run_compiled(graph, inputs, {.with_passes = with_passes, .kernels = kernels});
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const double error = relative_error(outputs[k], read_npy(folder / "refs" / fmt::format("{}.{}.npy", name, k)));
      fmt::print("{} output {}, {}: {:.2e}\n", name, k, with_passes ? "all passes" : "oneDNN, no passes", error);
      EXPECT_LE(error, reference.at("tolerance").get<double>());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Skeletons, testing::ValuesIn(skeleton_names()),
                         [](const auto& param) { return param.param; });

TEST(SkeletonModels, AreThere) {
  if (skeleton_names().empty()) GTEST_SKIP() << "no models beside the repository";
  EXPECT_EQ(skeleton_names().size(), 42U);
}

}  // namespace
}  // namespace deeper::models
