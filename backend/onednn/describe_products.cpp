// Convolutions and matrix products.

#include <numeric>

#include "backend/onednn/describe.h"
#include "ir/error.h"

namespace deeper::backend::onednn {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;
constexpr auto kAny = dnnl::memory::format_tag::any;

bool present(const runtime::Step& step, std::size_t operand) {
  return operand < step.operands.size() && step.operands[operand].space != runtime::Space::none;
}

Residual residual_of(const runtime::Step& step) {
  const std::int64_t number = step.tuning.empty() ? 0 : step.tuning.front();
  const bool is_known = number >= 0 && number <= static_cast<std::int64_t>(Residual::binary);
  if (!is_known || (number != 0 && !present(step, 3))) throw ModelError("there is no residual to add like that");
  return Residual{number};
}

// Post-ops of activation(product + residual), whose order of evaluation they are.
dnnl::post_ops epilogue(Residual residual, const Desc& residual_desc, const ir::Activation& activation) {
  dnnl::post_ops post_ops;
  if (residual == Residual::sum) post_ops.append_sum(1.0F);
  if (residual == Residual::binary) post_ops.append_binary(dnnl::algorithm::binary_add, residual_desc);
  if (activation.function == ir::Function::identity) return post_ops;
  const std::optional<Eltwise> eltwise = eltwise_of(activation);
  DEEPER_CHECK(eltwise.has_value(), "appending an activation");
  append_eltwise(post_ops, eltwise->algorithm, eltwise->alpha, eltwise->beta);
  return post_ops;
}

dnnl::primitive_attr attributes_with(const dnnl::post_ops& post_ops) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(post_ops);
  return attributes;
}

// The arguments common to all; `weights` and `bias` may be absent from the step.
Description describe_product(const runtime::Step& step, PrimitiveDesc primitive, const Desc& source,
                             const Desc& destination, const Desc& bias, Residual residual, const Desc& residual_desc) {
  Description result{.primitive = std::move(primitive), .arguments = {}};
  if (!result) return result;
  result.arguments = {{DNNL_ARG_SRC, 0, source},
                      {DNNL_ARG_WEIGHTS, 1, result.primitive.query_md(dnnl::query::weights_md, 0)},
                      {DNNL_ARG_DST, step.operands.size(), destination}};
  if (!is_empty(bias)) result.arguments.push_back({DNNL_ARG_BIAS, 2, bias});
  if (residual == Residual::binary) {
    result.arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, 3, residual_desc});
  }
  return result;
}

// Packed weights, whose format oneDNN chooses, or row-major ones that come with the input.
Desc weights_desc(const runtime::Operand& operand, const ir::Shape& dims) {
  return operand.strides.empty() ? Desc(dims, kF32, kAny) : desc_of(dims, ir::row_major_strides(dims));
}

// Pixels by channels of an image in NHWC.
Desc pixel_matrix(const runtime::Operand& image) {
  const std::int64_t pixels = image.shape[0] * image.shape[2] * image.shape[3];
  return desc_of({pixels, image.shape[1]}, {image.strides[3], 1});
}

// `shape` and `strides` with leading axes of extent 1 up to `rank`.
Desc widened(const ir::Shape& shape, const ir::Shape& strides, std::size_t rank) {
  ir::Shape dims(rank - shape.size(), 1);
  ir::Shape steps(rank - shape.size(), shape.empty() ? 1 : shape[0] * strides[0]);
  dims.insert(dims.end(), shape.begin(), shape.end());
  steps.insert(steps.end(), strides.begin(), strides.end());
  return desc_of(dims, steps);
}

}  // namespace

Description describe_conv(const runtime::Step& step) {
  const auto& op = std::get<ir::Conv>(step.op);
  const Desc source = desc_of(step.operands[0]);
  const Desc destination = desc_of(step.result);
  const ir::Shape& kernel = step.operands[1].shape;
  dnnl::memory::dims dims(kernel);
  if (op.groups > 1) dims = {op.groups, kernel[0] / op.groups, kernel[1], kernel[2], kernel[3]};
  const Desc weights = weights_desc(step.operands[1], dims);
  const Desc bias = present(step, 2) ? desc_of(step.operands[2].shape, {1}) : Desc();
  const Residual residual = residual_of(step);
  const Desc residual_desc = residual == Residual::binary ? desc_of(step.operands[3]) : Desc();
  const Window window{.strides = op.strides, .dilations = op.dilations, .pads = op.pads};
  const auto attributes = attributes_with(epilogue(residual, residual_desc, op.activation));
  return describe_product(step, convolution(source, weights, bias, destination, window, attributes), source,
                          destination, bias, residual, residual_desc);
}

Description describe_conv_as_matmul(const runtime::Step& step) {
  const auto& op = std::get<ir::Conv>(step.op);
  const Desc source = pixel_matrix(step.operands[0]);
  const Desc destination = pixel_matrix(step.result);
  const ir::Shape& kernel = step.operands[1].shape;
  const Desc weights({kernel[1], kernel[0]}, kF32, kAny);
  const Desc bias = present(step, 2) ? desc_of({1, kernel[0]}, {kernel[0], 1}) : Desc();
  const Residual residual = residual_of(step);
  const Desc residual_desc = residual == Residual::binary ? pixel_matrix(step.operands[3]) : Desc();
  const auto attributes = attributes_with(epilogue(residual, residual_desc, op.activation));
  return describe_product(step, matmul(source, weights, bias, destination, attributes), source, destination, bias,
                          residual, residual_desc);
}

Description describe_inner_product(const runtime::Step& step) {
  const auto& op = std::get<ir::MatMul>(step.op);
  const Desc source = desc_of(step.operands[0]);
  const Desc destination = desc_of(step.result);
  const std::int64_t outputs = step.result.shape[1];
  const Desc weights({outputs, step.operands[0].shape[1]}, kF32, kAny);
  const Desc bias = present(step, 2) ? desc_of({outputs}, {1}) : Desc();
  const auto attributes = attributes_with(epilogue(Residual::none, {}, op.activation));
  return describe_product(step, inner_product(source, weights, bias, destination, attributes), source, destination,
                          bias, Residual::none, {});
}

Description describe_matmul(const runtime::Step& step) {
  const auto& op = std::get<ir::MatMul>(step.op);
  const std::size_t rank = step.result.shape.size();
  const Desc source = widened(step.operands[0].shape, step.operands[0].strides, rank);
  const Desc destination = desc_of(step.result);
  ir::Shape b_shape = step.operands[1].shape;
  ir::Shape b_strides = step.operands[1].strides;
  if (op.transpose_b) {
    std::swap(b_shape.end()[-1], b_shape.end()[-2]);
    std::swap(b_strides.end()[-1], b_strides.end()[-2]);
  }
  const Desc weights = widened(b_shape, b_strides, rank);
  const Desc bias = present(step, 2) ? widened(step.operands[2].shape, {1}, rank) : Desc();
  const auto attributes = attributes_with(epilogue(Residual::none, {}, op.activation));
  return describe_product(step, matmul(source, weights, bias, destination, attributes), source, destination, bias,
                          Residual::none, {});
}

}  // namespace deeper::backend::onednn
