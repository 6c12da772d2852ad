// Ops that move elements: Concat, Slice, Reshape, Transpose, Pad, Gather.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "ir/error.h"
#include "ir/evaluate_ops.h"

namespace deeper::ir::oracle {
namespace {

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                         shape.begin() + static_cast<std::ptrdiff_t>(end), std::int64_t{1}, std::multiplies<>());
}

// Result element at index i is data[sum of i * strides].
template <typename Real>
void copy_strided(const Call<Real>& call, const Real* data, const Shape& strides) {
  const std::int64_t row = strides.empty() ? 1 : call.type.shape.back();
  const std::int64_t step = strides.empty() ? 0 : strides.back();
  for_each_row<1>(call.type.shape, {strides}, [&](std::int64_t at, const std::array<std::int64_t, 1>& offsets) {
    for (std::int64_t i = 0; i < row; ++i) call.out[static_cast<std::size_t>(at + i)] = data[offsets[0] + i * step];
  });
}

// The operand's position that result position i of an axis reads; -1 for the pad value.
std::int64_t padded_from(PadMode mode, std::int64_t i, std::int64_t begin, std::int64_t extent) {
  const std::int64_t at = i - begin;
  if (at >= 0 && at < extent) return at;
  switch (mode) {
    case PadMode::constant:
      return -1;
    case PadMode::reflect:
      return at < 0 ? -at : 2 * (extent - 1) - at;
    case PadMode::edge:
      return at < 0 ? 0 : extent - 1;
  }
  return -1;
}

// For every axis and result position the offset that it adds in the operand; -1 for the pad value.
std::vector<std::vector<std::int64_t>> pad_offsets(const Pad& op, const Shape& in, const Shape& result) {
  const Shape strides = row_major_strides(in);
  std::vector<std::vector<std::int64_t>> offsets(in.size());
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    for (std::int64_t i = 0; i < result[axis]; ++i) {
      const std::int64_t from = padded_from(op.mode, i, op.begins[axis], in[axis]);
      offsets[axis].push_back(from < 0 ? -1 : from * strides[axis]);
    }
  }
  return offsets;
}

}  // namespace

template <typename Real>
void compute(const Concat& op, const Call<Real>& call) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const std::int64_t outer = product(call.type.shape, 0, axis);
  const std::int64_t row = product(call.type.shape, axis, call.type.shape.size());
  std::int64_t at = 0;
  for (std::size_t n = 0; n < call.inputs.size(); ++n) {
    const std::int64_t block = product(call.shape(n), axis, call.shape(n).size());
    for (std::int64_t i = 0; i < outer; ++i)
      std::copy_n(call.data(n) + i * block, block, call.out.data() + i * row + at);
    at += block;
  }
}

template <typename Real>
void compute(const Slice& op, const Call<Real>& call) {
  if (call.out.empty()) return;
  Shape strides = row_major_strides(call.shape(0));
  std::int64_t start = 0;
  for (std::size_t i = 0; i < strides.size(); ++i) {
    start += op.starts[i] * strides[i];
    strides[i] *= op.steps[i];
  }
  copy_strided(call, call.data(0) + start, strides);
}

template <typename Real>
void compute(const Reshape&, const Call<Real>& call) {
  std::ranges::copy(call.inputs[0].data, call.out.begin());
}

template <typename Real>
void compute(const Transpose& op, const Call<Real>& call) {
  const Shape dense = row_major_strides(call.shape(0));
  Shape strides;
  for (const std::int64_t axis : op.perm) strides.push_back(dense[static_cast<std::size_t>(axis)]);
  copy_strided(call, call.data(0), strides);
}

template <typename Real>
void compute(const Pad& op, const Call<Real>& call) {
  const std::vector<std::vector<std::int64_t>> offsets = pad_offsets(op, call.shape(0), call.type.shape);
  const auto value = static_cast<Real>(as_type(op.value, call.type.dtype));
  Shape index(offsets.size(), 0);
  for (Real& element : call.out) {
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < offsets.size() && from >= 0; ++axis) {
      const std::int64_t offset = offsets[axis][static_cast<std::size_t>(index[axis])];
      from = offset < 0 ? -1 : from + offset;
    }
    element = from < 0 ? value : call.data(0)[from];
    for (std::size_t axis = offsets.size(); axis-- > 0;) {
      if (++index[axis] < call.type.shape[axis]) break;
      index[axis] = 0;
    }
  }
}

template <typename Real>
void compute(const Gather& op, const Call<Real>& call) {
  const Shape& in = call.shape(0);
  const auto axis = static_cast<std::size_t>(op.axis);
  const std::int64_t inner = product(in, axis + 1, in.size());
  Real* out = call.out.data();
  for (std::int64_t outer = 0; outer < product(in, 0, axis); ++outer) {
    for (const Real index : call.inputs[1].data) {
      const auto wish = static_cast<std::int64_t>(index);
      const std::int64_t i = wish < 0 ? wish + in[axis] : wish;
      if (i < 0 || i >= in[axis]) {
        throw ModelError(fmt::format("index {} is outside an axis of {} elements", wish, in[axis]));
      }
      out = std::copy_n(call.data(0) + (outer * in[axis] + i) * inner, inner, out);
    }
  }
}

template void compute(const Concat&, const Call<double>&);
template void compute(const Concat&, const Call<float>&);
template void compute(const Slice&, const Call<double>&);
template void compute(const Slice&, const Call<float>&);
template void compute(const Reshape&, const Call<double>&);
template void compute(const Reshape&, const Call<float>&);
template void compute(const Transpose&, const Call<double>&);
template void compute(const Transpose&, const Call<float>&);
template void compute(const Pad&, const Call<double>&);
template void compute(const Pad&, const Call<float>&);
template void compute(const Gather&, const Call<double>&);
template void compute(const Gather&, const Call<float>&);

}  // namespace deeper::ir::oracle
