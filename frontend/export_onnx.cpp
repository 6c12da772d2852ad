#include "frontend/export_onnx.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "frontend/onnx_writer.h"
#include "ir/enums.h"
#include "ir/error.h"

namespace deeper::frontend {
namespace {

using Names = std::vector<std::string>;

// Writes one IR node as ONNX nodes; the last gives `output`.
struct NodeExport {
  OnnxWriter& writer;
  const ir::Graph& graph;
  const ir::Node& node;
  Names in;
  std::string output;

  const ir::Shape& shape_of(std::size_t operand) const { return graph.shape(node.inputs.at(operand)); }
  bool has(std::size_t operand) const { return operand < in.size() && !in[operand].empty(); }
  onnx::NodeProto& plain(std::string_view type) const { return writer.node(type, output, in, output); }
  [[noreturn]] void refuse(std::string_view what) const {
    throw ModelError(fmt::format("node '{}' ({}): ONNX opset 17 has no {}", node.name, ir::op_name(node.op), what));
  }

  void activate(const ir::Activation& activation, const std::string& from) const;
  void finish(const std::string& sum, const ir::Activation& activation, const std::string& residual) const;
  void operator()(const ir::Identity&) const { plain("Identity"); }
  void operator()(const ir::Conv& conv) const;
  void operator()(const ir::MatMul& matmul) const;
  void operator()(const ir::BatchNorm& norm) const { attribute(plain("BatchNormalization"), "epsilon", norm.epsilon); }
  void operator()(const ir::Unary& unary) const { activate(unary.function, in[0]); }
  void operator()(const ir::Binary& binary) const;
  void operator()(const ir::Pool& pool) const;
  void operator()(const ir::Reduce& reduce) const;
  void operator()(const ir::Lrn& lrn) const;
  void operator()(const ir::Concat& concat) const { attribute(plain("Concat"), "axis", concat.axis); }
  void operator()(const ir::Slice& slice) const;
  void operator()(const ir::Reshape& reshape) const;
  void operator()(const ir::Transpose& transpose) const { attribute(plain("Transpose"), "perm", transpose.perm); }
  void operator()(const ir::Pad& pad) const;
  void operator()(const ir::Softmax& softmax) const;
  void operator()(const ir::Resize& resize) const;
  void operator()(const ir::Gather& gather) const { attribute(plain("Gather"), "axis", gather.axis); }
  void operator()(const ir::Where&) const { plain("Where"); }
  void operator()(const ir::Expand& expand) const;
  void operator()(const ir::Cast& cast) const {
    attribute(plain("Cast"), "to", static_cast<std::int64_t>(onnx_type(cast.to)));
  }
};

std::string_view operator_of(ir::Function function) {
  switch (function) {
    case ir::Function::identity:
      return "Identity";
    case ir::Function::relu:
      return "Relu";
    case ir::Function::leaky_relu:
      return "LeakyRelu";
    case ir::Function::clip:
      return "Clip";
    case ir::Function::sigmoid:
      return "Sigmoid";
    case ir::Function::tanh:
      return "Tanh";
    case ir::Function::hard_sigmoid:
      return "HardSigmoid";
    case ir::Function::abs:
      return "Abs";
    case ir::Function::neg:
      return "Neg";
    case ir::Function::sqrt:
      return "Sqrt";
    case ir::Function::exp:
      return "Exp";
    case ir::Function::log:
      return "Log";
    case ir::Function::reciprocal:
      return "Reciprocal";
    case ir::Function::floor:
      return "Floor";
    case ir::Function::ceil:
      return "Ceil";
    case ir::Function::round:
      return "Round";
    case ir::Function::sign:
      return "Sign";
    case ir::Function::logical_not:
      return "Not";
  }
  return "";
}

std::string_view operator_of(ir::BinaryFunction function) {
  switch (function) {
    case ir::BinaryFunction::add:
      return "Add";
    case ir::BinaryFunction::sub:
      return "Sub";
    case ir::BinaryFunction::mul:
      return "Mul";
    case ir::BinaryFunction::div:
      return "Div";
    case ir::BinaryFunction::pow:
      return "Pow";
    case ir::BinaryFunction::max:
      return "Max";
    case ir::BinaryFunction::min:
      return "Min";
    case ir::BinaryFunction::prelu:
      return "PRelu";
    case ir::BinaryFunction::mod:
      return "Mod";
    case ir::BinaryFunction::equal:
      return "Equal";
    case ir::BinaryFunction::less:
      return "Less";
    case ir::BinaryFunction::less_equal:
      return "LessOrEqual";
    case ir::BinaryFunction::greater:
      return "Greater";
    case ir::BinaryFunction::greater_equal:
      return "GreaterOrEqual";
    case ir::BinaryFunction::logical_and:
      return "And";
    case ir::BinaryFunction::logical_or:
      return "Or";
  }
  return "";
}

std::string_view operator_of(ir::ReduceKind kind) {
  switch (kind) {
    case ir::ReduceKind::sum:
      return "ReduceSum";
    case ir::ReduceKind::mean:
      return "ReduceMean";
    case ir::ReduceKind::max:
      return "ReduceMax";
    case ir::ReduceKind::min:
      return "ReduceMin";
    case ir::ReduceKind::prod:
      return "ReduceProd";
  }
  return "";
}

void NodeExport::activate(const ir::Activation& activation, const std::string& from) const {
  Names operands{from};
  if (activation.function == ir::Function::clip) {
    operands.push_back(writer.constant(output + "/low", ir::Tensor::scalar(activation.alpha)));
    operands.push_back(writer.constant(output + "/high", ir::Tensor::scalar(activation.beta)));
  }
  onnx::NodeProto& written = writer.node(operator_of(activation.function), output, operands, output);
  const bool is_hard_sigmoid = activation.function == ir::Function::hard_sigmoid;
  if (is_hard_sigmoid || activation.function == ir::Function::leaky_relu) {
    attribute(written, "alpha", activation.alpha);
  }
  if (is_hard_sigmoid) attribute(written, "beta", activation.beta);
}

// What follows a convolution or product named `sum`: the residual, then the activation.
void NodeExport::finish(const std::string& sum, const ir::Activation& activation, const std::string& residual) const {
  std::string last = sum;
  const bool is_active = activation.function != ir::Function::identity;
  if (!residual.empty()) {
    last = is_active ? output + "/sum" : output;
    writer.node("Add", last, {sum, residual}, last);
  }
  if (is_active) activate(activation, last);
}

void NodeExport::operator()(const ir::Conv& conv) const {
  const std::string residual = has(3) ? in[3] : "";
  const bool is_last = residual.empty() && conv.activation.function == ir::Function::identity;
  const std::string result = is_last ? output : output + "/conv";
  Names operands{in[0], in[1]};
  if (has(2)) operands.push_back(in[2]);
  onnx::NodeProto& written = writer.node("Conv", result, operands, result);
  const ir::Shape& weights = shape_of(1);
  attribute(written, "kernel_shape", std::vector<std::int64_t>{weights[2], weights[3]});
  attribute(written, "strides", conv.strides);
  attribute(written, "dilations", conv.dilations);
  attribute(written, "pads", conv.pads);
  attribute(written, "group", conv.groups);
  finish(result, conv.activation, residual);
}

void NodeExport::operator()(const ir::MatMul& matmul) const {
  const bool is_active = matmul.activation.function != ir::Function::identity;
  const bool is_gemm = shape_of(0).size() == 2 && shape_of(1).size() == 2;
  const std::string bias = has(2) ? in[2] : "";
  if (is_gemm) {
    const std::string result = is_active ? output + "/product" : output;
    Names operands{in[0], in[1]};
    if (!bias.empty()) operands.push_back(bias);
    attribute(writer.node("Gemm", result, operands, result), "transB", std::int64_t{matmul.transpose_b});
    finish(result, matmul.activation, "");
    return;
  }
  std::string factor = in[1];
  if (matmul.transpose_b) {
    std::vector<std::int64_t> perm;
    for (std::size_t i = 0; i < shape_of(1).size(); ++i) perm.push_back(static_cast<std::int64_t>(i));
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    factor = output + "/transposed";
    attribute(writer.node("Transpose", factor, {in[1]}, factor), "perm", perm);
  }
  const std::string result = is_active || !bias.empty() ? output + "/product" : output;
  writer.node("MatMul", result, {in[0], factor}, result);
  finish(result, matmul.activation, bias);
}

void NodeExport::operator()(const ir::Binary& binary) const {
  onnx::NodeProto& written = plain(operator_of(binary.function));
  const bool is_fmod = binary.function == ir::BinaryFunction::mod && graph.type(node.output).dtype == ir::DataType::f32;
  if (is_fmod) attribute(written, "fmod", std::int64_t{1});
}

void NodeExport::operator()(const ir::Pool& pool) const {
  const bool is_average = pool.kind == ir::PoolKind::average;
  if (is_average && pool.dilations != ir::Extent2{1, 1}) refuse("dilated average pool");
  const bool is_last = !has(1) && pool.activation.function == ir::Function::identity;
  const std::string result = is_last ? output : output + "/pool";
  onnx::NodeProto& written = writer.node(is_average ? "AveragePool" : "MaxPool", result, {in[0]}, result);
  attribute(written, "kernel_shape", pool.kernel);
  attribute(written, "strides", pool.strides);
  attribute(written, "pads", pool.pads);
  attribute(written, "ceil_mode", std::int64_t{pool.ceil_mode});
  if (is_average) attribute(written, "count_include_pad", std::int64_t{pool.count_include_pad});
  if (!is_average) attribute(written, "dilations", pool.dilations);
  std::string bias;
  if (has(1)) {
    bias = output + "/bias";
    writer.node("Reshape", bias, {in[1], writer.list(bias + "/shape", {1, shape_of(1)[0], 1, 1})}, bias);
  }
  finish(result, pool.activation, bias);
}

void NodeExport::operator()(const ir::Reduce& reduce) const {
  if (reduce.axes.empty()) {
    plain("Identity");
    return;
  }
  Names operands = in;
  const bool axes_are_operand = reduce.kind == ir::ReduceKind::sum;
  if (axes_are_operand) operands.push_back(writer.list(output + "/axes", reduce.axes));
  onnx::NodeProto& written = writer.node(operator_of(reduce.kind), output, operands, output);
  if (!axes_are_operand) attribute(written, "axes", reduce.axes);
  attribute(written, "keepdims", std::int64_t{reduce.keepdims});
}

void NodeExport::operator()(const ir::Lrn& lrn) const {
  onnx::NodeProto& written = plain("LRN");
  attribute(written, "size", lrn.size);
  attribute(written, "alpha", lrn.alpha);
  attribute(written, "beta", lrn.beta);
  attribute(written, "bias", lrn.bias);
}

void NodeExport::operator()(const ir::Slice& slice) const {
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < slice.shape.size(); ++i) {
    axes.push_back(static_cast<std::int64_t>(i));
    const std::int64_t last = slice.starts[i] + (slice.shape[i] - 1) * slice.steps[i];
    const std::int64_t end = slice.steps[i] > 0 ? last + 1 : last - 1;
    if (slice.shape[i] == 0) {
      ends.push_back(slice.starts[i]);
    } else {
      ends.push_back(end < 0 ? std::numeric_limits<std::int64_t>::min() : end);  // before the first: not from the end
    }
  }
  const Names operands{in[0], writer.list(output + "/starts", slice.starts), writer.list(output + "/ends", ends),
                       writer.list(output + "/axes", axes), writer.list(output + "/steps", slice.steps)};
  writer.node("Slice", output, operands, output);
}

void NodeExport::operator()(const ir::Reshape& reshape) const {
  onnx::NodeProto& written =
      writer.node("Reshape", output, {in[0], writer.list(output + "/shape", reshape.shape)}, output);
  if (ir::element_count(reshape.shape) == 0) attribute(written, "allowzero", std::int64_t{1});
}

void NodeExport::operator()(const ir::Pad& pad) const {
  std::vector<std::int64_t> amounts = pad.begins;
  amounts.insert(amounts.end(), pad.ends.begin(), pad.ends.end());
  const ir::DataType type = graph.type(node.output).dtype;
  const ir::Tensor value = type == ir::DataType::f32
                               ? ir::Tensor::scalar(pad.value)
                               : ir::Tensor::integer(type, {}, {static_cast<std::int64_t>(pad.value)});
  Names operands{in[0], writer.list(output + "/pads", amounts)};
  if (pad.mode == ir::PadMode::constant) operands.push_back(writer.constant(output + "/value", value));
  attribute(writer.node("Pad", output, operands, output), "mode", ir::enum_name(pad.mode));
}

void NodeExport::operator()(const ir::Softmax& softmax) const {
  attribute(plain(softmax.log ? "LogSoftmax" : "Softmax"), "axis", softmax.axis);
}

void NodeExport::operator()(const ir::Resize& resize) const {
  if (resize.coordinates == ir::Coordinates::half_pixel_symmetric) refuse("half_pixel_symmetric");
  bool scales_give_shape = true;
  for (std::size_t i = 0; i < resize.shape.size(); ++i) {
    const float extent = std::floor(resize.scales[i] * static_cast<float>(shape_of(0)[i]));
    scales_give_shape = scales_give_shape && static_cast<std::int64_t>(extent) == resize.shape[i];
  }
  Names operands{in[0], ""};
  if (scales_give_shape) {
    const auto rank = static_cast<std::int64_t>(resize.scales.size());
    operands.push_back(writer.constant(output + "/scales", ir::Tensor::f32({rank}, resize.scales)));
  } else {
    operands.push_back("");
    operands.push_back(writer.list(output + "/sizes", resize.shape));
  }
  onnx::NodeProto& written = writer.node("Resize", output, operands, output);
  attribute(written, "mode", ir::enum_name(resize.mode));
  attribute(written, "coordinate_transformation_mode", ir::enum_name(resize.coordinates));
  attribute(written, "nearest_mode", ir::enum_name(resize.rounding));
}

void NodeExport::operator()(const ir::Expand& expand) const {
  writer.node("Expand", output, {in[0], writer.list(output + "/shape", expand.shape)}, output);
}

// The name every value has in the file: its own, or another where an output of the model that is not it has that name.
Names names_of_values(const ir::Graph& graph) {
  Names names;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const ir::ValueId id{static_cast<std::uint32_t>(i)};
    names.push_back(graph.value(id).name);
    for (const ir::Output& output : graph.outputs()) {
      if (output.name == names.back() && output.value != id) names.back() += "/inner";
    }
  }
  return names;
}

void write_constants(const ir::Graph& graph, const Names& names, OnnxWriter& writer) {
  std::vector<bool> is_needed(graph.value_capacity(), false);
  for (const ir::NodeId id : graph.order()) {
    for (const ir::ValueId input : graph.node(id).inputs) {
      if (input.valid()) is_needed[input.index] = true;
    }
  }
  for (const ir::Output& output : graph.outputs()) is_needed[output.value.index] = true;
  for (std::size_t i = 0; i < is_needed.size(); ++i) {
    const auto& constant = graph.constant(ir::ValueId{static_cast<std::uint32_t>(i)});
    if (is_needed[i] && constant) writer.constant(names[i], *constant);
  }
}

}  // namespace

std::string export_onnx(const ir::Graph& graph) {
  OnnxWriter writer(graph.name);
  const Names names = names_of_values(graph);
  for (const ir::ValueId input : graph.inputs()) writer.input(names[input.index], graph.type(input));
  write_constants(graph, names, writer);
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    Names in;
    for (const ir::ValueId input : node.inputs) in.push_back(input.valid() ? names[input.index] : "");
    const NodeExport exporter{writer, graph, node, std::move(in), names[node.output.index]};
    std::visit(exporter, node.op);
  }
  for (const ir::Output& output : graph.outputs()) {
    const std::string& name = names[output.value.index];
    if (output.name != name) writer.node("Identity", output.name, {name}, output.name);
    writer.output(output.name, graph.type(output.value));
  }
  return writer.serialize();
}

}  // namespace deeper::frontend
