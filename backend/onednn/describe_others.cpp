// Elementwise functions.

#include "backend/onednn/describe.h"
#include "ir/error.h"

namespace deeper::backend::onednn {
namespace {

dnnl::primitive_attr plain_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

// A primitive of one source and one destination.
Description one_to_one(PrimitiveDesc primitive, const Desc& source, const Desc& destination) {
  Description result{.primitive = std::move(primitive), .arguments = {}};
  if (result) result.arguments = {{DNNL_ARG_SRC, 0, source}, {DNNL_ARG_DST, 1, destination}};
  return result;
}

}  // namespace

std::optional<Eltwise> eltwise_of(const ir::Activation& activation) {
  using dnnl::algorithm;
  switch (activation.function) {
    case ir::Function::relu:
      return Eltwise{algorithm::eltwise_relu, 0, 0};
    case ir::Function::leaky_relu:
      return Eltwise{algorithm::eltwise_relu, activation.alpha, 0};
    case ir::Function::clip:
      return Eltwise{algorithm::eltwise_clip, activation.alpha, activation.beta};
    case ir::Function::sigmoid:
      return Eltwise{algorithm::eltwise_logistic, 0, 0};
    case ir::Function::tanh:
      return Eltwise{algorithm::eltwise_tanh, 0, 0};
    case ir::Function::abs:
      return Eltwise{algorithm::eltwise_abs, 0, 0};
    case ir::Function::neg:
      return Eltwise{algorithm::eltwise_linear, -1, 0};
    case ir::Function::sqrt:
      return Eltwise{algorithm::eltwise_sqrt, 0, 0};
    case ir::Function::exp:
      return Eltwise{algorithm::eltwise_exp, 0, 0};
    case ir::Function::log:
      return Eltwise{algorithm::eltwise_log, 0, 0};
    case ir::Function::round:
      return Eltwise{algorithm::eltwise_round, 0, 0};
    case ir::Function::identity:
    case ir::Function::hard_sigmoid:
    case ir::Function::reciprocal:
    case ir::Function::floor:
    case ir::Function::ceil:
    case ir::Function::sign:
    case ir::Function::logical_not:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<dnnl::algorithm> binary_of(ir::BinaryFunction function) {
  using dnnl::algorithm;
  switch (function) {
    case ir::BinaryFunction::add:
      return algorithm::binary_add;
    case ir::BinaryFunction::sub:
      return algorithm::binary_sub;
    case ir::BinaryFunction::mul:
      return algorithm::binary_mul;
    case ir::BinaryFunction::div:
      return algorithm::binary_div;
    case ir::BinaryFunction::max:
      return algorithm::binary_max;
    case ir::BinaryFunction::min:
      return algorithm::binary_min;
    case ir::BinaryFunction::pow:
    case ir::BinaryFunction::prelu:
    case ir::BinaryFunction::mod:
    case ir::BinaryFunction::equal:
    case ir::BinaryFunction::less:
    case ir::BinaryFunction::less_equal:
    case ir::BinaryFunction::greater:
    case ir::BinaryFunction::greater_equal:
    case ir::BinaryFunction::logical_and:
    case ir::BinaryFunction::logical_or:
      return std::nullopt;
  }
  return std::nullopt;
}

Description describe_eltwise(const runtime::Step& step) {
  const std::optional<Eltwise> function = eltwise_of(std::get<ir::Unary>(step.op).function);
  DEEPER_CHECK(function.has_value(), "describing an elementwise function");
  const Desc source = desc_of(step.operands[0]);
  const Desc destination = desc_of(step.result);
  return one_to_one(
      eltwise(function->algorithm, function->alpha, function->beta, source, destination, plain_attributes()), source,
      destination);
}

Description describe_binary(const runtime::Step& step) {
  const auto algorithm = binary_of(std::get<ir::Binary>(step.op).function);
  DEEPER_CHECK(algorithm.has_value(), "describing a binary function");
  const Desc a = desc_of(step.operands[0]);
  const Desc b = desc_of(step.operands[1]);
  const Desc destination = desc_of(step.result);
  Description result{.primitive = binary(*algorithm, a, b, destination, plain_attributes()), .arguments = {}};
  if (result) result.arguments = {{DNNL_ARG_SRC_0, 0, a}, {DNNL_ARG_SRC_1, 1, b}, {DNNL_ARG_DST, 2, destination}};
  return result;
}

Description describe_batch_norm(const runtime::Step& step) {
  const Desc data = desc_of(step.operands[0]);
  const Desc factor = desc_of(step.operands[1]);
  const Desc shift = desc_of(step.operands[2]);
  const Desc destination = desc_of(step.result);
  dnnl::post_ops post_ops;
  post_ops.append_binary(dnnl::algorithm::binary_add, shift);
  dnnl::primitive_attr attributes = plain_attributes();
  attributes.set_post_ops(post_ops);
  Description result{.primitive = binary(dnnl::algorithm::binary_mul, data, factor, destination, attributes),
                     .arguments = {}};
  if (result) {
    result.arguments = {{DNNL_ARG_SRC_0, 0, data},
                        {DNNL_ARG_SRC_1, 1, factor},
                        {DNNL_ARG_DST, 3, destination},
                        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, 2, shift}};
  }
  return result;
}

Description describe_prelu(const runtime::Step& step) {
  const Desc source = desc_of(step.operands[0]);
  const Desc slopes = desc_of(step.operands[1]);
  Description result{.primitive = prelu(source, slopes, plain_attributes()), .arguments = {}};
  if (result) {
    result.arguments = {{DNNL_ARG_SRC, 0, source}, {DNNL_ARG_WEIGHTS, 1, slopes}, {DNNL_ARG_DST, 2, source}};
  }
  return result;
}

}  // namespace deeper::backend::onednn
