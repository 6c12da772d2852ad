// The zoo's numbers, run by the oracle at sizes that keep it quick: activations neither vanish nor explode, and answers
// are neither certain nor a tie.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/evaluate.h"

namespace deeper::frontend {
namespace {

struct Case {
  std::string name;
  std::int64_t size;
};

class ZooNumbers : public testing::TestWithParam<Case> {};

ir::Graph build(const Case& model) {
  const auto path = std::filesystem::temp_directory_path() / (std::to_string(::getpid()) + model.name + ".onnx");
  write_zoo_model(model.name, path, {.seed = 3, .size = model.size});
  ir::Graph graph = import_onnx(path, {});
  std::filesystem::remove(path);
  return graph;
}

double root_mean_square(const ir::Array& array) {
  double sum = 0;
  for (const double value : array.data) sum += value * value;
  return std::sqrt(sum / static_cast<double>(array.data.size()));
}

TEST_P(ZooNumbers, StayInRange) {
  const ir::Graph graph = build(GetParam());
  // Noise of deviation one: stronger than most pictures.
  ir::Array input = ir::to_array(ir::Tensor::seeded(graph.shape(graph.inputs()[0]), 11));
  for (double& pixel : input.data) pixel *= 10.0;
  ir::EvaluateOptions options;
  options.precision = ir::Precision::f32;
  options.observe = [&](ir::NodeId id, const ir::Array& result) {
    if (result.shape.size() != 4) return;
    EXPECT_GT(root_mean_square(result), 0.02) << graph.node(id).name;
    EXPECT_LT(root_mean_square(result), 20.0) << graph.node(id).name;
  };
  const std::vector<ir::Array> outputs = ir::evaluate(graph, {&input, 1}, options);
  ASSERT_FALSE(outputs.empty());
  for (const ir::Array& output : outputs) {
    const double largest = *std::max_element(output.data.begin(), output.data.end());
    EXPECT_GT(largest, 3.0 / static_cast<double>(output.data.size()));
    EXPECT_LT(largest, 0.97);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ZooNumbers,
                         testing::Values(Case{"alexnet", 131}, Case{"googlenet", 128}, Case{"googlenet_bn", 112},
                                         Case{"inception_v1_naive", 96}, Case{"bn_inception", 128},
                                         Case{"inception_v2", 139}, Case{"inception_v2_slim", 112},
                                         Case{"inception_v3", 151}, Case{"inception_v4", 107},
                                         Case{"inception_resnet_v1", 107}, Case{"inception_resnet_v2", 107}),
                         [](const auto& model) { return model.param.name; });

}  // namespace
}  // namespace deeper::frontend
