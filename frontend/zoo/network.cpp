#include "frontend/zoo/network.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "frontend/zoo/random.h"
#include "ir/error.h"
#include "ir/infer.h"

namespace deeper::frontend::zoo {
namespace {

// Deviation of what statistics and biases add at random, beside a signal of one. Statistics that centred every channel,
// as training's do, would make a deep random network chaotic: rounding errors would grow from layer to layer.
constexpr double kOffset = 0.08;
// What a picture's pixels are expected to be: between values in [-1, 1] and values normalised to variance one.
constexpr Moments kPixels{0.0, 0.5};
// What a layer's sums are drawn to be, before its Relu.
constexpr Moments kSums{0.0, 1.0};
constexpr double kLogitDeviation = 2.5;

std::vector<std::int64_t> list(std::span<const std::int64_t> numbers) { return {numbers.begin(), numbers.end()}; }

}  // namespace

// The ModelProto under construction and the stream of random numbers of every tensor in it.
struct Network::Writer {
  onnx::ModelProto model;
  std::uint64_t seed = 0;
  std::uint64_t tensors = 0;

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  Random random() { return {seed, tensors++}; }

  onnx::NodeProto& node(std::string_view type, const std::string& name, const std::vector<std::string>& inputs) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(std::string(type));
    node.set_name(name);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(name);
    return node;
  }

  static void attribute(onnx::NodeProto& node, std::string_view name, std::int64_t value) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(std::string(name));
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }

  static void attribute(onnx::NodeProto& node, std::string_view name, float value) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(std::string(name));
    attribute.set_type(onnx::AttributeProto::FLOAT);
    attribute.set_f(value);
  }

  static void attribute(onnx::NodeProto& node, std::string_view name, const std::vector<std::int64_t>& values) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(std::string(name));
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) attribute.add_ints(value);
  }

  std::string tensor(const std::string& name, const ir::Shape& shape, std::span<const float> data) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : shape) tensor.add_dims(extent);
    std::string& raw = *tensor.mutable_raw_data();
    raw.resize(data.size_bytes());
    std::memcpy(raw.data(), data.data(), data.size_bytes());
    return name;
  }

  static void port(onnx::ValueInfoProto& info, const std::string& name, const ir::Shape& shape) {
    info.set_name(name);
    onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("N");
    for (const std::int64_t extent : shape) type.mutable_shape()->add_dim()->set_dim_value(extent);
  }
};

namespace {

// Weights of `outputs` sums over `fan_in` numbers of the given moments: the sums have that deviation.
std::vector<float> draw_weights(Random random, std::int64_t outputs, std::int64_t fan_in, const Moments& input,
                                double deviation) {
  const double scale = deviation / std::sqrt(static_cast<double>(fan_in) * input.second);
  std::vector<float> weights(static_cast<std::size_t>(outputs * fan_in));
  for (float& weight : weights) weight = static_cast<float>(scale * random.normal());
  return weights;
}

std::vector<float> draw_bias(Random random, std::int64_t outputs) {
  std::vector<float> bias(static_cast<std::size_t>(outputs));
  for (float& value : bias) value = static_cast<float>(kOffset * random.normal());
  return bias;
}

// Result extents of a window on x, which it must fit.
std::pair<std::int64_t, std::int64_t> extents(const std::string& name, const FeatureMap& x, const Window& window,
                                              bool ceil_mode) {
  const auto height =
      ir::window_extent(x.height, window.kernel[0], window.strides[0], 1, window.pads[0], window.pads[2], ceil_mode);
  const auto width =
      ir::window_extent(x.width, window.kernel[1], window.strides[1], 1, window.pads[1], window.pads[3], ceil_mode);
  if (!height || !width) {
    throw ModelError(fmt::format("input too small: the {}x{} window of '{}' does not fit {}x{}", window.kernel[0],
                                 window.kernel[1], name, x.height, x.width));
  }
  return {*height, *width};
}

}  // namespace

Network::Network(const std::string& name, std::uint64_t seed, std::optional<float> batch_norm_epsilon)
    : writer_(std::make_unique<Writer>()), epsilon_(batch_norm_epsilon) {
  writer_->seed = seed;
  writer_->model.set_ir_version(7);
  writer_->model.set_producer_name("deeper");
  writer_->model.add_opset_import()->set_version(13);
  writer_->graph().set_name(name);
}

Network::~Network() = default;

FeatureMap Network::input(std::int64_t size) {
  Writer::port(*writer_->graph().add_input(), "input", {3, size, size});
  return {"input", 3, size, size, kPixels};
}

FeatureMap Network::conv(const std::string& name, const FeatureMap& x, std::int64_t channels, const Window& window,
                         std::int64_t groups) {
  const FeatureMap sum = linear_conv(name + "/Conv", x, channels, window, groups, !epsilon_);
  return relu(name + "/Relu", epsilon_ ? batch_norm(name + "/BatchNorm", sum) : sum);
}

FeatureMap Network::linear_conv(const std::string& name, const FeatureMap& x, std::int64_t channels,
                                const Window& window, std::int64_t groups, bool has_bias) {
  const auto [height, width] = extents(name, x, window, false);
  const ir::Shape shape{channels, x.channels / groups, window.kernel[0], window.kernel[1]};
  const std::vector<float> weights =
      draw_weights(writer_->random(), channels, shape[1] * shape[2] * shape[3], x.moments, 1.0);
  std::vector<std::string> inputs{x.value, writer_->tensor(name + "/weights", shape, weights)};
  if (has_bias) {
    inputs.push_back(writer_->tensor(name + "/bias", {channels}, draw_bias(writer_->random(), channels)));
  }
  onnx::NodeProto& node = writer_->node("Conv", name, inputs);
  Writer::attribute(node, "kernel_shape", list(window.kernel));
  Writer::attribute(node, "strides", list(window.strides));
  Writer::attribute(node, "pads", list(window.pads));
  Writer::attribute(node, "dilations", {1, 1});
  Writer::attribute(node, "group", groups);
  return {name, channels, height, width, kSums};
}

FeatureMap Network::batch_norm(const std::string& name, const FeatureMap& x) {
  Random random = writer_->random();
  std::vector<float> gamma, beta, mean, variance;
  for (std::int64_t channel = 0; channel < x.channels; ++channel) {
    gamma.push_back(static_cast<float>(random.uniform(0.8, 1.2)));
    beta.push_back(static_cast<float>(kOffset * random.normal()));
    mean.push_back(static_cast<float>(kOffset * random.normal()));
    variance.push_back(static_cast<float>(random.uniform(0.7, 1.3)));
  }
  onnx::NodeProto& node = writer_->node(
      "BatchNormalization", name,
      {x.value, writer_->tensor(name + "/gamma", {x.channels}, gamma),
       writer_->tensor(name + "/beta", {x.channels}, beta), writer_->tensor(name + "/moving_mean", {x.channels}, mean),
       writer_->tensor(name + "/moving_variance", {x.channels}, variance)});
  Writer::attribute(node, "epsilon", epsilon_.value_or(1e-3F));
  return {name, x.channels, x.height, x.width, kSums};
}

FeatureMap Network::relu(const std::string& name, const FeatureMap& x) {
  writer_->node("Relu", name, {x.value});
  return {name, x.channels, x.height, x.width, after_relu(x.moments)};
}

FeatureMap Network::pool(const std::string& name, const FeatureMap& x, const ir::Pool& pool) {
  const auto [height, width] = extents(name, x, {pool.kernel, pool.strides, pool.pads}, pool.ceil_mode);
  const bool is_max = pool.kind == ir::PoolKind::max;
  onnx::NodeProto& node = writer_->node(is_max ? "MaxPool" : "AveragePool", name, {x.value});
  Writer::attribute(node, "kernel_shape", list(pool.kernel));
  Writer::attribute(node, "strides", list(pool.strides));
  Writer::attribute(node, "pads", list(pool.pads));
  if (pool.ceil_mode) Writer::attribute(node, "ceil_mode", std::int64_t{1});
  if (pool.count_include_pad) Writer::attribute(node, "count_include_pad", std::int64_t{1});
  const std::int64_t cells = pool.kernel[0] * pool.kernel[1];
  return {name, x.channels, height, width,
          is_max ? after_max_pool(x.moments, cells) : after_average_pool(x.moments, cells)};
}

FeatureMap Network::global_average_pool(const std::string& name, const FeatureMap& x) {
  writer_->node("GlobalAveragePool", name, {x.value});
  return {name, x.channels, 1, 1, after_average_pool(x.moments, x.height * x.width)};
}

FeatureMap Network::local_response_norm(const std::string& name, const FeatureMap& x, const Local& local) {
  onnx::NodeProto& node = writer_->node("LRN", name, {x.value});
  Writer::attribute(node, "size", local.size);
  Writer::attribute(node, "alpha", local.alpha);
  Writer::attribute(node, "beta", local.beta);
  Writer::attribute(node, "bias", local.bias);
  return {name, x.channels, x.height, x.width, x.moments};  // with an alpha this small, nearly so
}

FeatureMap Network::concat(const std::string& name, const std::vector<FeatureMap>& parts) {
  FeatureMap result{name, 0, parts.at(0).height, parts.at(0).width, {}};
  std::vector<std::string> inputs;
  for (const FeatureMap& part : parts) {
    if (part.height != result.height || part.width != result.width) {
      throw ModelError(fmt::format("input of another size needed: at '{}' branches of {}x{} and {}x{} meet", name,
                                   result.height, result.width, part.height, part.width));
    }
    inputs.push_back(part.value);
    result.channels += part.channels;
    result.moments.mean += part.moments.mean * static_cast<double>(part.channels);
    result.moments.second += part.moments.second * static_cast<double>(part.channels);
  }
  result.moments.mean /= static_cast<double>(result.channels);
  result.moments.second /= static_cast<double>(result.channels);
  Writer::attribute(writer_->node("Concat", name, inputs), "axis", std::int64_t{1});
  return result;
}

FeatureMap Network::scaled_residual(const std::string& name, const FeatureMap& x, const FeatureMap& branch,
                                    double scale, bool has_relu) {
  std::string scaled = branch.value;
  if (scale != 1.0) {
    const float factor = static_cast<float>(scale);
    scaled = name + "/Mul";
    writer_->node("Mul", scaled, {branch.value, writer_->tensor(name + "/scale", {}, {&factor, 1})});
  }
  FeatureMap result{name + "/Add", x.channels, x.height, x.width,
                    after_residual(x.moments, branch.moments, scale, has_relu)};
  writer_->node("Add", result.value, {x.value, scaled});
  if (!has_relu) return result;
  result.value = name + "/Relu";
  writer_->node("Relu", result.value, {name + "/Add"});
  return result;
}

FeatureMap Network::flatten(const std::string& name, const FeatureMap& x) {
  Writer::attribute(writer_->node("Flatten", name, {x.value}), "axis", std::int64_t{1});
  return {name, x.channels * x.height * x.width, 1, 1, x.moments};
}

FeatureMap Network::dropout(const std::string& name, const FeatureMap& x) {
  writer_->node("Dropout", name, {x.value});
  return {name, x.channels, x.height, x.width, x.moments};
}

FeatureMap Network::dense(const std::string& name, const FeatureMap& x, std::int64_t units, bool has_bias,
                          double deviation) {
  const std::vector<float> weights = draw_weights(writer_->random(), units, x.channels, x.moments, deviation);
  std::vector<std::string> inputs{x.value, writer_->tensor(name + "/weights", {units, x.channels}, weights)};
  if (has_bias) inputs.push_back(writer_->tensor(name + "/bias", {units}, draw_bias(writer_->random(), units)));
  Writer::attribute(writer_->node("Gemm", name, inputs), "transB", std::int64_t{1});
  return {name, units, 1, 1, kSums};
}

FeatureMap Network::fully_connected(const std::string& name, const FeatureMap& x, std::int64_t units) {
  return dense(name, x, units, true, 1.0);
}

FeatureMap Network::normalized_fully_connected(const std::string& name, const FeatureMap& x, std::int64_t units) {
  return batch_norm(name + "/BatchNorm", dense(name, x, units, false, 1.0));
}

FeatureMap Network::classifier(const std::string& name, const FeatureMap& x, std::int64_t classes) {
  const FeatureMap logits = dense(name, x, classes, true, kLogitDeviation);
  Writer::attribute(writer_->node("Softmax", name + "/Softmax", {logits.value}), "axis", std::int64_t{1});
  return {name + "/Softmax", classes, 1, 1, logits.moments};
}

FeatureMap Network::l2_normalize(const std::string& name, const FeatureMap& x) {
  onnx::NodeProto& norm = writer_->node("ReduceL2", name + "/ReduceL2", {x.value});
  Writer::attribute(norm, "axes", std::vector<std::int64_t>{1});
  Writer::attribute(norm, "keepdims", std::int64_t{1});
  const float smallest = 1e-12F;
  writer_->node("Clip", name + "/Clip", {name + "/ReduceL2", writer_->tensor(name + "/smallest", {}, {&smallest, 1})});
  writer_->node("Div", name, {x.value, name + "/Clip"});
  return {name, x.channels, 1, 1, x.moments};
}

void Network::output(const std::string& name, const FeatureMap& x) {
  auto& nodes = *writer_->graph().mutable_node();
  const auto last =
      std::find_if(nodes.rbegin(), nodes.rend(), [&](const auto& node) { return node.output(0) == x.value; });
  DEEPER_CHECK(last != nodes.rend(), "naming output " + name);
  last->set_output(0, name);
  Writer::port(*writer_->graph().add_output(), name, {x.channels});
}

std::string Network::serialize() const { return writer_->model.SerializeAsString(); }

}  // namespace deeper::frontend::zoo
