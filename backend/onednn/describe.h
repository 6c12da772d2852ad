#pragma once

#include <optional>

#include "backend/onednn/primitive.h"
#include "ir/ops.h"

// One function per oneDNN kernel: the primitive that does this step. Operands are those of ir/ops.h unless said
// otherwise; what a step's `tuning` holds is said here.
namespace deeper::backend::onednn {

// How a convolution or matmul adds its residual: tuning[0] of describe_conv and describe_conv_as_matmul.
enum class Residual : std::int64_t {
  none,
  sum,     // the result already holds it
  binary,  // it is read from where it is
};

// A function as oneDNN has it; nothing where it has none.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha;
  float beta;
};
std::optional<Eltwise> eltwise_of(const ir::Activation& activation);

std::optional<dnnl::algorithm> binary_of(ir::BinaryFunction function);

Description describe_conv(const runtime::Step& step);
// A 1x1 convolution with strides 1 and no padding as the product of pixels and channels; pixels may be strided.
Description describe_conv_as_matmul(const runtime::Step& step);
// MatMul of rank 2 with constant second operand.
Description describe_inner_product(const runtime::Step& step);
Description describe_matmul(const runtime::Step& step);
Description describe_eltwise(const runtime::Step& step);
Description describe_binary(const runtime::Step& step);
// Operands: x, factor, shift, both of the shape [1,C,...].
Description describe_batch_norm(const runtime::Step& step);
// Binary with function prelu.
Description describe_prelu(const runtime::Step& step);

}  // namespace deeper::backend::onednn
