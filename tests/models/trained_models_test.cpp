// Models with official or trained weights against the answers that came with them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "frontend/import.h"
#include "frontend/tensor_file.h"
#include "ir/verify.h"
#include "tests/models/model_folder.h"
#include "tests/models/npy.h"
#include "tests/support/accuracy.h"

namespace deeper::models {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string model;
  int data_set;
  std::string expected;
  double tolerance;
};

class TrainedModels : public testing::TestWithParam<Case> {};

ir::Array read_expected(const fs::path& path) {
  return path.extension() == ".npy" ? read_npy(path) : ir::to_array(frontend::read_tensor_file(path).tensor);
}

TEST_P(TrainedModels, AgreeWithTheirReference) {
  const Case& param = GetParam();
  const fs::path folder = models_folder() / param.model;
  if (models_folder().empty() || !fs::exists(folder)) GTEST_SKIP() << "no " << param.model << " beside the repository";
  const fs::path data = folder / fmt::format("test_data_set_{}", param.data_set);
  const ir::Array input = ir::to_array(frontend::read_tensor_file(data / "input_0.pb").tensor);
  frontend::ImportOptions options;
  options.input_shapes["input"] = input.shape;
  const ir::Graph graph = frontend::import_onnx(folder / "model.onnx", options);
  ir::verify(graph, ir::Form::imported);
  const std::vector<ir::Array> outputs = ir::evaluate(graph, std::vector{input});
  ASSERT_EQ(outputs.size(), 1U);
  test::expect_accurate(graph, std::vector{input}, outputs, {});
  const ir::Array expected = read_expected(data / param.expected);
  const double error = relative_error(outputs[0], expected);
  fmt::print("{} data set {}: {:.2e}\n", param.model, param.data_set, error);
  EXPECT_LE(error, param.tolerance);
  for (const backend::Kernels kernels : {backend::Kernels::all, backend::Kernels::onednn}) {
    const auto compiled = test::run_compiled(graph, std::vector{input}, {.kernels = kernels});
    const double compiled_error = relative_error(compiled[0], expected);
    fmt::print("{} data set {}, {}: {:.2e}\n", param.model, param.data_set,
               kernels == backend::Kernels::all ? "all kernels" : "oneDNN", compiled_error);
    EXPECT_LE(compiled_error, param.tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(All, TrainedModels,
                         testing::Values(Case{"inception_v3_content5", 0, "output_0.pb", 1e-5},
                                         Case{"inception_v3_content5", 1, "output_0.pb", 1e-5},
                                         Case{"inception_v3_imagenet_mixed8", 0, "torch_f64_output_0.npy", 1e-5},
                                         Case{"inception_v3_imagenet_mixed8", 1, "torch_f64_output_0.npy", 1e-5},
                                         Case{"light_inception_v1", 0, "ort_output_0.npy", 1e-5},
                                         Case{"light_inception_v1", 0, "output_0.pb", 1e-4},
                                         Case{"light_inception_v2", 0, "ort_output_0.npy", 1e-5},
                                         Case{"light_inception_v2", 0, "output_0.pb", 1e-4}),
                         [](const auto& param) {
                           const std::string expected = param.param.expected.substr(0, param.param.expected.find('_'));
                           return fmt::format("{}_{}_{}", param.param.model, param.param.data_set, expected);
                         });

}  // namespace
}  // namespace deeper::models
