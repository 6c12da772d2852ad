#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "ir/ops.h"

// Inside the oracle: every op of ops.h over dense row-major arrays of Real (double or float), which is also what it
// accumulates in. evaluate.h is the interface.
namespace deeper::ir::oracle {

// An operand; an absent one has no shape.
template <typename Real>
struct Operand {
  const Shape* shape = nullptr;
  std::span<const Real> data;
};

template <typename Real>
struct Call {
  std::span<const Operand<Real>> inputs;
  const Type& type;     // of the result
  std::span<Real> out;  // the result's elements, zero
  int threads;

  bool has(std::size_t i) const { return i < inputs.size() && inputs[i].shape != nullptr; }
  const Shape& shape(std::size_t i) const { return *inputs[i].shape; }
  const Real* data(std::size_t i) const { return inputs[i].data.data(); }
};

// Fills call.out; operands and result have types that infer accepts. Throw ModelError where the numbers of an operand
// are at fault (an index outside, an integer division by zero).
template <typename Real>
void compute(const Identity& op, const Call<Real>& call);
template <typename Real>
void compute(const Conv& op, const Call<Real>& call);
template <typename Real>
void compute(const MatMul& op, const Call<Real>& call);
template <typename Real>
void compute(const BatchNorm& op, const Call<Real>& call);
template <typename Real>
void compute(const Unary& op, const Call<Real>& call);
template <typename Real>
void compute(const Binary& op, const Call<Real>& call);
template <typename Real>
void compute(const Pool& op, const Call<Real>& call);
template <typename Real>
void compute(const Reduce& op, const Call<Real>& call);
template <typename Real>
void compute(const Lrn& op, const Call<Real>& call);
template <typename Real>
void compute(const Concat& op, const Call<Real>& call);
template <typename Real>
void compute(const Slice& op, const Call<Real>& call);
template <typename Real>
void compute(const Reshape& op, const Call<Real>& call);
template <typename Real>
void compute(const Transpose& op, const Call<Real>& call);
template <typename Real>
void compute(const Pad& op, const Call<Real>& call);
template <typename Real>
void compute(const Softmax& op, const Call<Real>& call);
template <typename Real>
void compute(const Resize& op, const Call<Real>& call);
template <typename Real>
void compute(const Gather& op, const Call<Real>& call);
template <typename Real>
void compute(const Where& op, const Call<Real>& call);
template <typename Real>
void compute(const Expand& op, const Call<Real>& call);
template <typename Real>
void compute(const Cast& op, const Call<Real>& call);

// One element through a function.
template <typename Real>
Real activate(const Activation& activation, Real x);

// The number an element of type `dtype` holds for `x`: integers truncate towards zero (beyond int64: its ends, NaN: 0),
// then wrap to their width; bool is x != 0; f32 is x itself, not rounded.
double as_type(double x, DataType dtype);

// Strides that read an operand of shape `shape` as if it were broadcast to `target`: 0 along repeated axes.
Shape broadcast_strides(const Shape& shape, const Shape& target);

// Calls visit(offset of the row in the result, offsets of it in N operands) for every row along the last axis of
// `shape`, given the operands' strides. A scalar has one row of one element.
template <std::size_t N, typename Visit>
void for_each_row(const Shape& shape, const std::array<Shape, N>& strides, const Visit& visit) {
  for (const std::int64_t extent : shape) {
    if (extent == 0) return;
  }
  const std::size_t outer = shape.empty() ? 0 : shape.size() - 1;
  const std::int64_t row = shape.empty() ? 1 : shape.back();
  Shape index(outer, 0);
  std::array<std::int64_t, N> offsets{};
  for (std::int64_t at = 0;; at += row) {
    visit(at, offsets);
    std::size_t axis = outer;
    for (; axis > 0; --axis) {
      const std::size_t i = axis - 1;
      for (std::size_t n = 0; n < N; ++n) offsets[n] += strides[n][i];
      if (++index[i] < shape[i]) break;
      for (std::size_t n = 0; n < N; ++n) offsets[n] -= strides[n][i] * shape[i];
      index[i] = 0;
    }
    if (axis == 0) return;
  }
}

// Runs work(0) ... work(count - 1), each once, on up to `threads` threads. The work must not throw.
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& work);

}  // namespace deeper::ir::oracle
