#pragma once

#include <span>

#include "runtime/kernel.h"

// Portable kernels for every op but Conv and BatchNorm. All are team kernels, take f32 operands of up to eight
// axes at any non-negative strides (0: broadcast), and read `step.op` with the operands as ir/ops.h lists them; the
// logical shapes of operands and result must be what ir::infer gives. Integers and bools are whole numbers in f32.
// Operands and result must not overlap, but for native.unary and native.binary, whose result may be an operand's very
// memory (same offset, shape and strides).
//
//   native.copy     Identity, Slice, Transpose, Reshape, Expand, Concat; with Identity also between any two layouts
//   native.matvec   MatMul of two matrices, the first of few rows; operands and result adjacent along what is summed
//                   and along the outputs, the bias absent or given
//   native.pool     Pool
//   native.reduce   Reduce
//   native.lrn      Lrn
//   native.softmax  Softmax
//   native.unary    Unary, Cast
//   native.binary   Binary; tuning[0], where there is one, is the number of the operands' ir::DataType
//                   (f32 otherwise): integers divide towards zero and wrap
//   native.pad      Pad
//   native.resize   Resize
//   native.gather   Gather (indices outside the axis read its nearest end)
//   native.where    Where
namespace deeper::backend {

std::span<const runtime::KernelRow> native_kernels();

}  // namespace deeper::backend
