// The error of every way to do a convolution on the real weights and activations of the ImageNet-trained Inception-v3,
// layer by layer, as a multiple of the error of direct convolution in fp32.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "frontend/import.h"
#include "frontend/tensor_file.h"
#include "ir/match.h"
#include "passes/passes.h"
#include "runtime/machine.h"
#include "tests/models/model_folder.h"
#include "tests/unit/conv_case.h"

namespace deeper::models {
namespace {

using backend::Accuracy;
using backend::ConvCandidate;
using backend::ConvKernel;
using backend::testing::ConvCase;

// Results of different channels have nothing to do with each other: a few tell as much as all.
constexpr std::int64_t kMostChannels = 32;

std::vector<float> to_nhwc(const ir::Array& image) {
  const std::int64_t channels = image.shape[1];
  const std::int64_t pixels = image.shape[2] * image.shape[3];
  std::vector<float> result(image.data.size());
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t p = 0; p < pixels; ++p) result[p * channels + c] = static_cast<float>(image.data[c * pixels + p]);
  }
  return result;
}

// The convolution of `node` on `input`, without its activation, which would hide errors.
ConvCase case_of(const ir::Graph& graph, const ir::Node& node, const ir::Array& input) {
  const ir::Tensor& weights = *graph.constant(node.inputs[1]);
  const std::int64_t channels = std::min(kMostChannels, weights.shape()[0]);
  ir::Conv op = std::get<ir::Conv>(node.op);
  op.activation = {};
  ConvCase c;
  c.shape = backend::dense_conv_shape(1, input.shape[1], {input.shape[2], input.shape[3]}, channels,
                                      ir::kernel_of(graph, node), op);
  c.source = to_nhwc(input);
  const auto count = static_cast<std::ptrdiff_t>(channels * ir::element_count(weights.shape()) / weights.shape()[0]);
  c.weights.assign(weights.floats().begin(), weights.floats().begin() + count);
  if (const auto bias = node.inputs.size() > 2 ? graph.constant(node.inputs[2]) : std::nullopt) {
    c.shape.has_bias = true;
    c.bias.assign(bias->floats().begin(), bias->floats().begin() + channels);
  }
  c.result.assign(static_cast<std::size_t>(c.shape.result.image), 0.0F);
  return c;
}

// Largest and smallest multiples of the direct error over the layers.
struct Errors {
  double least = INFINITY;
  double most = 0;
  std::string worst;
};

class LayerErrors {
 public:
  explicit LayerErrors(const backend::Target& target) : target_(target) {}

  void measure(const std::string& name, const ConvCase& c) {
    const std::vector<double> want = backend::testing::reference(c);
    double direct = 0;
    for (const ConvKernel& kernel : backend::conv_kernels()) {
      const bool is_direct = kernel.name == "brgemm" || kernel.name == "direct";
      for (const ConvCandidate& candidate : kernel.candidates(c.shape, target_, Accuracy::safe)) {
        const double error = backend::testing::relative_l2(backend::testing::run_kernel(kernel, candidate, c, 1), want);
        if (is_direct) direct = std::max(direct, error);
        ASSERT_GT(direct, 0) << "direct kernels come first";
        const std::string way = is_direct ? std::string(kernel.name)
                                          : candidate.implementation.substr(0, candidate.implementation.find(' '));
        add(way, error / direct, name);
      }
    }
  }

  void expect_safe() const {
    constexpr double kSafe = 4;
    for (const auto& [way, errors] : ways_) {
      fmt::print("{:<20} {:.2f} to {:.2f} times direct, most on {}\n", way, errors.least, errors.most, errors.worst);
      EXPECT_LE(errors.most, kSafe) << way << " on " << errors.worst;
    }
  }

 private:
  void add(const std::string& way, double multiple, const std::string& name) {
    Errors& errors = ways_[way];
    errors.least = std::min(errors.least, multiple);
    if (multiple <= errors.most) return;
    errors.most = multiple;
    errors.worst = name;
  }

  backend::Target target_;
  std::map<std::string, Errors> ways_;
};

TEST(LayerErrors, StayNearDirectOnRealActivations) {
  const std::filesystem::path folder = models_folder() / "inception_v3_imagenet_mixed8";
  if (models_folder().empty() || !std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no inception_v3_imagenet_mixed8 beside the repository";
  }
  const ir::Array input = ir::to_array(frontend::read_tensor_file(folder / "test_data_set_0" / "input_0.pb").tensor);
  frontend::ImportOptions options;
  options.input_shapes["input"] = input.shape;
  ir::Graph graph = frontend::import_onnx(folder / "model.onnx", options);
  passes::run_passes(graph, passes::default_pipeline());
  std::map<ir::ValueId, ir::Array> values;
  ir::EvaluateOptions evaluate;
  evaluate.observe = [&](ir::NodeId id, const ir::Array& array) { values[graph.node(id).output] = array; };
  ir::evaluate(graph, std::vector{input}, evaluate);
  backend::Target target;
  target.isa = runtime::cpu_has("amx") ? backend::Isa::amx : backend::Isa::avx2;
  LayerErrors errors(target);
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    const auto image = values.find(node.inputs[0]);
    if (!std::holds_alternative<ir::Conv>(node.op) || image == values.end()) continue;
    errors.measure(node.name, case_of(graph, node, image->second));
  }
  errors.expect_safe();
}

}  // namespace
}  // namespace deeper::models
