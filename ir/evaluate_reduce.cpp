// Ops whose result elements each depend on a run of elements: Pool, Reduce, Lrn, Softmax.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ir/evaluate_ops.h"

namespace deeper::ir::oracle {
namespace {

// The taps of one pooling window along one axis.
struct Window {
  std::vector<std::int64_t> inside;  // input positions
  std::int64_t declared = 0;         // taps inside the input or its declared padding
};

std::vector<Window> windows(const Pool& op, std::size_t axis, std::int64_t input, std::int64_t result) {
  std::vector<Window> all(static_cast<std::size_t>(result));
  for (std::int64_t i = 0; i < result; ++i) {
    Window& window = all[static_cast<std::size_t>(i)];
    for (std::int64_t k = 0; k < op.kernel[axis]; ++k) {
      const std::int64_t at = i * op.strides[axis] + k * op.dilations[axis] - op.pads[axis];
      if (at >= 0 && at < input) window.inside.push_back(at);
      if (at < input + op.pads[axis + 2]) ++window.declared;
    }
  }
  return all;
}

template <typename Real>
Real largest(const Window& rows, const Window& columns, const Real* plane, std::int64_t width) {
  Real best = -std::numeric_limits<Real>::infinity();
  for (const std::int64_t h : rows.inside) {
    for (const std::int64_t w : columns.inside) {
      const Real x = plane[h * width + w];
      if (x > best || std::isnan(x)) best = x;
    }
  }
  return best;
}

template <typename Real>
Real average(const Window& rows, const Window& columns, const Real* plane, std::int64_t width, bool count_padding) {
  Real sum = 0;
  for (const std::int64_t h : rows.inside) {
    for (const std::int64_t w : columns.inside) sum += plane[h * width + w];
  }
  const std::int64_t inside = static_cast<std::int64_t>(rows.inside.size() * columns.inside.size());
  const std::int64_t count = count_padding ? rows.declared * columns.declared : inside;
  return count == 0 ? Real{0} : sum / static_cast<Real>(count);
}

template <typename Real>
Real first_of(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::mean:
      return 0;
    case ReduceKind::prod:
      return 1;
    case ReduceKind::max:
      return -std::numeric_limits<Real>::infinity();
    case ReduceKind::min:
      return std::numeric_limits<Real>::infinity();
  }
  return 0;
}

template <typename Real>
void accumulate(ReduceKind kind, Real& result, Real x) {
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::mean:
      result += x;
      return;
    case ReduceKind::prod:
      result *= x;
      return;
    case ReduceKind::max:
      if (x > result || std::isnan(x)) result = x;
      return;
    case ReduceKind::min:
      if (x < result || std::isnan(x)) result = x;
      return;
  }
}

// Strides in a Reduce's result along the operand's axes: 0 along reduced ones.
Shape result_strides(const Reduce& op, const Shape& shape) {
  Shape strides(shape.size(), 0);
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (std::ranges::binary_search(op.axes, static_cast<std::int64_t>(i))) continue;
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

struct Lines {
  std::int64_t outer = 1, extent = 1, inner = 1;
};

Lines lines_along(const Shape& shape, std::int64_t axis) {
  Lines lines;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape.size()); ++i) {
    (i < axis ? lines.outer : i == axis ? lines.extent : lines.inner) *= shape[static_cast<std::size_t>(i)];
  }
  return lines;
}

template <typename Real>
void softmax_line(const Real* x, Real* out, std::int64_t extent, std::int64_t stride, bool log) {
  Real most = -std::numeric_limits<Real>::infinity();
  for (std::int64_t i = 0; i < extent; ++i) most = std::max(most, x[i * stride]);
  Real sum = 0;
  for (std::int64_t i = 0; i < extent; ++i) sum += std::exp(x[i * stride] - most);
  for (std::int64_t i = 0; i < extent; ++i) {
    const Real shifted = x[i * stride] - most;
    out[i * stride] = log ? shifted - std::log(sum) : std::exp(shifted) / sum;
  }
}

}  // namespace

template <typename Real>
void compute(const Pool& op, const Call<Real>& call) {
  const Shape& in = call.shape(0);
  const Shape& result = call.type.shape;
  const std::vector<Window> rows = windows(op, 0, in[2], result[2]);
  const std::vector<Window> columns = windows(op, 1, in[3], result[3]);
  parallel_for(in[0] * in[1], call.threads, [&](std::int64_t plane) {
    const Real* const x = call.data(0) + plane * in[2] * in[3];
    Real* out = call.out.data() + plane * result[2] * result[3];
    const Real bias = call.has(1) ? call.data(1)[plane % in[1]] : Real{0};
    for (const Window& row : rows) {
      for (const Window& column : columns) {
        const Real pooled = op.kind == PoolKind::max ? largest(row, column, x, in[3])
                                                     : average(row, column, x, in[3], op.count_include_pad);
        *out++ = activate(op.activation, pooled + bias);
      }
    }
  });
}

template <typename Real>
void compute(const Reduce& op, const Call<Real>& call) {
  const Shape& in = call.shape(0);
  const Shape strides = result_strides(op, in);
  std::ranges::fill(call.out, first_of<Real>(op.kind));
  const std::int64_t row = in.empty() ? 1 : in.back();
  const std::int64_t step = in.empty() ? 0 : strides.back();
  for_each_row<1>(in, {strides}, [&](std::int64_t at, const std::array<std::int64_t, 1>& offsets) {
    Real* const out = call.out.data() + offsets[0];
    for (std::int64_t i = 0; i < row; ++i) accumulate(op.kind, out[i * step], call.data(0)[at + i]);
  });
  const auto elements = static_cast<Real>(call.inputs[0].data.size());
  const Real count = call.out.empty() ? Real{1} : elements / static_cast<Real>(call.out.size());
  for (Real& x : call.out) {
    if (op.kind == ReduceKind::mean) x /= count;
    x = static_cast<Real>(as_type(static_cast<double>(x), call.type.dtype));
  }
}

template <typename Real>
void compute(const Lrn& op, const Call<Real>& call) {
  const Lines lines = lines_along(call.type.shape, 1);
  const Real factor = static_cast<Real>(op.alpha) / static_cast<Real>(op.size);
  parallel_for(lines.outer * lines.extent, call.threads, [&](std::int64_t plane) {
    const std::int64_t c = plane % lines.extent;
    const std::int64_t first = std::max<std::int64_t>(0, c - (op.size - 1) / 2);
    const std::int64_t last = std::min(lines.extent - 1, c + op.size / 2);
    const Real* const x = call.data(0) + (plane - c) * lines.inner;
    Real* const out = call.out.data() + plane * lines.inner;
    for (std::int64_t i = 0; i < lines.inner; ++i) {
      Real squares = 0;
      for (std::int64_t k = first; k <= last; ++k) squares += x[k * lines.inner + i] * x[k * lines.inner + i];
      const Real base = static_cast<Real>(op.bias) + factor * squares;
      out[i] = x[c * lines.inner + i] / std::pow(base, static_cast<Real>(op.beta));
    }
  });
}

template <typename Real>
void compute(const Softmax& op, const Call<Real>& call) {
  const Lines lines = lines_along(call.type.shape, op.axis);
  for (std::int64_t outer = 0; outer < lines.outer; ++outer) {
    for (std::int64_t inner = 0; inner < lines.inner; ++inner) {
      const std::int64_t at = outer * lines.extent * lines.inner + inner;
      softmax_line(call.data(0) + at, call.out.data() + at, lines.extent, lines.inner, op.log);
    }
  }
}

template void compute(const Pool&, const Call<double>&);
template void compute(const Pool&, const Call<float>&);
template void compute(const Reduce&, const Call<double>&);
template void compute(const Reduce&, const Call<float>&);
template void compute(const Lrn&, const Call<double>&);
template void compute(const Lrn&, const Call<float>&);
template void compute(const Softmax&, const Call<double>&);
template void compute(const Softmax&, const Call<float>&);

}  // namespace deeper::ir::oracle
