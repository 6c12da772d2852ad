// Graphs written as ONNX and read again compute the same: every op once, graphs of whole modules, and zoo models.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "frontend/export_onnx.h"
#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/parse.h"
#include "passes/passes.h"

namespace deeper {
namespace {

namespace fs = std::filesystem;

fs::path temporary(const std::string& name) { return fs::temp_directory_path() / ("deeper_export_" + name + ".onnx"); }

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

ir::Graph through_onnx(const ir::Graph& graph, const std::string& name) {
  const fs::path path = temporary(name);
  std::ofstream(path, std::ios::binary) << frontend::export_onnx(graph);
  ir::Graph again = frontend::import_onnx(path, {});
  fs::remove(path);
  return again;
}

std::vector<ir::Array> random_inputs(const ir::Graph& graph) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<ir::Array> inputs;
  for (const ir::ValueId input : graph.inputs()) {
    ir::Array array{graph.shape(input), std::vector<double>(ir::element_count(graph.shape(input)))};
    for (double& x : array.data) x = static_cast<double>(static_cast<float>(normal(random)));
    inputs.push_back(std::move(array));
  }
  return inputs;
}

void expect_same(const ir::Graph& graph, const std::string& name) {
  const ir::Graph again = through_onnx(graph, name);
  const std::vector<ir::Array> inputs = random_inputs(graph);
  const std::vector<ir::Array> expected = ir::evaluate(graph, inputs);
  const std::vector<ir::Array> got = ir::evaluate(again, inputs);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(again.outputs()[i].name, graph.outputs()[i].name);
    ASSERT_EQ(got[i].shape, expected[i].shape);
    for (std::size_t k = 0; k < got[i].data.size(); ++k) {
      ASSERT_NEAR(got[i].data[k], expected[i].data[k], 1e-12 * std::max(1.0, std::abs(expected[i].data[k])))
          << name << ", output " << i << ", element " << k;
    }
  }
}

ir::Graph graph_of(const std::string& nodes) {
  return ir::parse(
      "graph \"g\" {\n  input %x: f32[1,4,6,6]\n  const %w: f32[4,4,3,3] = seed(1)\n"
      "  const %b: f32[4] = {1, -1, 0.5, 0.25}\n  const %v: f32[4] = {1, 2, 3, 0.5}\n"
      "  const %m: f32[5,6] = seed(2)\n  const %c: f32[5] = seed(3)\n" +
      nodes + "  output \"out\" = %y\n}\n");
}

struct OpCase {
  std::string name;
  std::string nodes;
};

void PrintTo(const OpCase& op, std::ostream* stream) { *stream << op.name; }

class ExportOp : public testing::TestWithParam<OpCase> {};

TEST_P(ExportOp, ComputesTheSame) { expect_same(graph_of(GetParam().nodes), GetParam().name); }

const std::vector<OpCase> kOps{
    {"identity", "  %y: f32[1,4,6,6] = Identity(%x)\n"},
    {"conv", "  %y: f32[1,4,3,3] = Conv(%x, %w, %b, _) {strides=[2,2], pads=[1,1,1,1]}\n"},
    {"conv_fused", "  %y: f32[1,4,6,6] = Conv(%x, %w, _, %x) {pads=[1,1,1,1], activation=leaky_relu(0.25)}\n"},
    {"matmul", "  %y: f32[1,4,6,5] = MatMul(%x, %m, %c) {transpose_b=true, activation=clip(-1, 2)}\n"},
    {"gemm",
     "  %r: f32[24,6] = Reshape(%x) {shape=[24,6]}\n"
     "  %y: f32[24,5] = MatMul(%r, %m, %c) {transpose_b=true, activation=sigmoid}\n"},
    {"batch_norm", "  %y: f32[1,4,6,6] = BatchNorm(%x, %v, %b, %b, %v) {epsilon=0.5}\n"},
    {"hard_sigmoid", "  %y: f32[1,4,6,6] = Unary(%x) {function=hard_sigmoid(0.3, 0.4)}\n"},
    {"round", "  %y: f32[1,4,6,6] = Unary(%x) {function=round}\n"},
    {"binary", "  %y: f32[1,4,6,6] = Binary(%x, %x) {function=mul}\n"},
    {"max_pool", "  %y: f32[1,4,2,2] = Pool(%x) {kind=max, kernel=[2,2], strides=[2,2], dilations=[2,2]}\n"},
    {"average_pool",
     "  %y: f32[1,4,3,3] = Pool(%x) {kind=average, kernel=[3,3], strides=[2,2], pads=[1,1,0,0], "
     "count_include_pad=true}\n"},
    {"reduce_mean", "  %y: f32[1,4] = Reduce(%x) {kind=mean, axes=[2,3], keepdims=false}\n"},
    {"reduce_sum", "  %y: f32[1,1,6,6] = Reduce(%x) {kind=sum, axes=[1]}\n"},
    {"lrn", "  %y: f32[1,4,6,6] = Lrn(%x) {size=3, alpha=0.5}\n"},
    {"concat", "  %y: f32[1,8,6,6] = Concat(%x, %x)\n"},
    {"slice", "  %y: f32[1,2,3,6] = Slice(%x) {starts=[0,1,5,5], steps=[1,2,-2,-1], shape=[1,2,3,6]}\n"},
    {"transpose", "  %y: f32[1,6,6,4] = Transpose(%x) {perm=[0,2,3,1]}\n"},
    {"pad", "  %y: f32[1,4,7,8] = Pad(%x) {begins=[0,0,1,0], ends=[0,0,0,2], value=2}\n"},
    {"pad_reflect", "  %y: f32[1,4,7,8] = Pad(%x) {mode=reflect, begins=[0,0,1,0], ends=[0,0,0,2]}\n"},
    {"softmax", "  %y: f32[1,4,6,6] = Softmax(%x) {axis=1, log=true}\n"},
    {"resize",
     "  %y: f32[1,4,12,9] = Resize(%x) {mode=linear, coordinates=align_corners, scales=[1,1,2,1.5], "
     "shape=[1,4,12,9]}\n"},
    {"expand", "  %y: f32[2,4,6,6] = Expand(%x) {shape=[2,4,6,6]}\n"},
    {"cast",
     "  %i: i32[1,4,6,6] = Cast(%x) {to=i32}\n"
     "  %y: f32[1,4,6,6] = Cast(%i)\n"},
    {"output_named_as_another",
     "  %out: f32[1,4,6,6] = Unary(%x) {function=relu}\n"
     "  %y: f32[1,4,6,6] = Unary(%out) {function=tanh}\n"},
};
INSTANTIATE_TEST_SUITE_P(Ops, ExportOp, testing::ValuesIn(kOps), [](const auto& op) { return op.param.name; });

TEST(Export, KeepsModulesAfterAllPasses) {
  for (const char* name : {"inception_v1", "inception_v3", "inception_resnet", "nhwc_islands", "quantised"}) {
    ir::Graph graph = ir::parse(text_of(fs::path(DEEPER_SOURCE_DIR) / "tests/graphs" / (std::string(name) + ".ir")));
    passes::run_passes(graph, passes::default_pipeline());
    expect_same(graph, name);
  }
}

TEST(Export, KeepsAZooModelBeforeAndAfterPasses) {
  const fs::path path = temporary("zoo");
  frontend::write_zoo_model("googlenet_bn", path, {.seed = 1, .size = 64});
  ir::Graph graph = frontend::import_onnx(path, {});
  fs::remove(path);
  expect_same(graph, "zoo_imported");
  passes::run_passes(graph, passes::default_pipeline());
  expect_same(graph, "zoo_optimized");
}

TEST(Export, RefusesWhatTheOpsetLacks) {
  const ir::Graph graph = graph_of("  %y: f32[1,4,4,4] = Pool(%x) {kind=average, kernel=[2,2], dilations=[2,2]}\n");
  EXPECT_THROW(frontend::export_onnx(graph), ModelError);
}

}  // namespace
}  // namespace deeper
