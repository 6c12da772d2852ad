// Ops whose result elements each depend on one element per operand.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/error.h"
#include "ir/evaluate_ops.h"

namespace deeper::ir::oracle {
namespace {

template <typename Real>
Real truth(bool value) {
  return value ? Real{1} : Real{0};
}

template <typename Real>
Real clip(Real x, Real least, Real most) {
  const Real raised = x < least ? least : x;
  return raised > most ? most : raised;
}

template <typename Real>
Real divide(Real x, Real y, bool integer) {
  if (!integer) return x / y;
  if (y == 0) throw ModelError("an integer is divided by zero");
  return static_cast<Real>(std::trunc(static_cast<double>(x) / static_cast<double>(y)));
}

template <typename Real>
Real modulo(Real x, Real y, bool integer) {
  if (!integer) return std::fmod(x, y);
  if (y == 0) throw ModelError("an integer is divided by zero");
  const Real rest = std::fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

// The larger and the smaller of two; NaN where either is.
template <typename Real>
Real larger(Real x, Real y) {
  return std::isnan(x) || x > y ? x : y;
}
template <typename Real>
Real smaller(Real x, Real y) {
  return std::isnan(x) || x < y ? x : y;
}

template <typename Real>
Real apply(BinaryFunction function, Real x, Real y, bool integer) {
  switch (function) {
    case BinaryFunction::add:
      return x + y;
    case BinaryFunction::sub:
      return x - y;
    case BinaryFunction::mul:
      return x * y;
    case BinaryFunction::div:
      return divide(x, y, integer);
    case BinaryFunction::pow:
      return std::pow(x, y);
    case BinaryFunction::max:
      return larger(x, y);
    case BinaryFunction::min:
      return smaller(x, y);
    case BinaryFunction::prelu:
      return x < 0 ? x * y : x;
    case BinaryFunction::mod:
      return modulo(x, y, integer);
    case BinaryFunction::equal:
      return truth<Real>(x == y);
    case BinaryFunction::less:
      return truth<Real>(x < y);
    case BinaryFunction::less_equal:
      return truth<Real>(x <= y);
    case BinaryFunction::greater:
      return truth<Real>(x > y);
    case BinaryFunction::greater_equal:
      return truth<Real>(x >= y);
    case BinaryFunction::logical_and:
      return truth<Real>(x != 0 && y != 0);
    case BinaryFunction::logical_or:
      return truth<Real>(x != 0 || y != 0);
  }
  DEEPER_CHECK(false, "evaluating a Binary");
}

bool is_integer(DataType dtype) { return dtype != DataType::f32 && dtype != DataType::boolean; }

// What an integer result holds: wrapped to its width.
template <typename Real>
void wrap(const Call<Real>& call) {
  if (!is_integer(call.type.dtype)) return;
  for (Real& x : call.out) x = static_cast<Real>(as_type(static_cast<double>(x), call.type.dtype));
}

template <std::size_t N, typename Real>
std::array<Shape, N> strides_of(const Call<Real>& call) {
  std::array<Shape, N> strides;
  for (std::size_t i = 0; i < N; ++i) strides[i] = broadcast_strides(call.shape(i), call.type.shape);
  return strides;
}

// Result element = function(element of each operand), all broadcast.
template <std::size_t N, typename Real, typename F>
void map_broadcast(const Call<Real>& call, const F& function) {
  const std::array<Shape, N> strides = strides_of<N>(call);
  const bool scalar = call.type.shape.empty();
  std::array<std::int64_t, N> step{};
  for (std::size_t n = 0; n < N; ++n) step[n] = scalar ? 0 : strides[n].back();
  const std::int64_t row = scalar ? 1 : call.type.shape.back();
  for_each_row<N>(call.type.shape, strides, [&](std::int64_t at, const std::array<std::int64_t, N>& offsets) {
    for (std::int64_t i = 0; i < row; ++i) {
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        call.out[static_cast<std::size_t>(at + i)] = function(call.data(I)[offsets[I] + i * step[I]]...);
      }
      (std::make_index_sequence<N>());
    }
  });
}

}  // namespace

template <typename Real>
Real activate(const Activation& activation, Real x) {
  const Real alpha = activation.alpha;
  const Real beta = activation.beta;
  switch (activation.function) {
    case Function::identity:
      return x;
    case Function::relu:
      return x < 0 ? Real{0} : x;
    case Function::leaky_relu:
      return x < 0 ? alpha * x : x;
    case Function::clip:
      return clip(x, alpha, beta);
    case Function::sigmoid:
      return Real{1} / (Real{1} + std::exp(-x));
    case Function::tanh:
      return std::tanh(x);
    case Function::hard_sigmoid:
      return clip(alpha * x + beta, Real{0}, Real{1});
    case Function::abs:
      return std::abs(x);
    case Function::neg:
      return -x;
    case Function::sqrt:
      return std::sqrt(x);
    case Function::exp:
      return std::exp(x);
    case Function::log:
      return std::log(x);
    case Function::reciprocal:
      return Real{1} / x;
    case Function::floor:
      return std::floor(x);
    case Function::ceil:
      return std::ceil(x);
    case Function::round:
      return std::nearbyint(x);
    case Function::sign:
      return std::isnan(x) ? x : truth<Real>(x > 0) - truth<Real>(x < 0);
    case Function::logical_not:
      return truth<Real>(x == 0);
  }
  DEEPER_CHECK(false, "evaluating a Function");
}

double as_type(double x, DataType dtype) {
  if (dtype == DataType::f32) return x;
  if (dtype == DataType::boolean) return x != 0 ? 1 : 0;
  if (std::isnan(x)) return 0;
  using Limits = std::numeric_limits<std::int64_t>;
  std::int64_t whole = 0;
  if (x >= 0x1p63) {
    whole = Limits::max();
  } else {
    whole = x < -0x1p63 ? Limits::min() : static_cast<std::int64_t>(x);
  }
  if (dtype == DataType::i32) return static_cast<std::int32_t>(whole);
  if (dtype == DataType::i8) return static_cast<std::int8_t>(whole);
  if (dtype == DataType::u8) return static_cast<std::uint8_t>(whole);
  return static_cast<double>(whole);
}

Shape broadcast_strides(const Shape& shape, const Shape& target) {
  const Shape dense = row_major_strides(shape);
  Shape strides(target.size(), 0);
  const std::size_t missing = target.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) strides[missing + i] = shape[i] == 1 ? 0 : dense[i];
  return strides;
}

template <typename Real>
void compute(const Identity&, const Call<Real>& call) {
  std::ranges::copy(call.inputs[0].data, call.out.begin());
}

template <typename Real>
void compute(const BatchNorm& op, const Call<Real>& call) {
  const Shape& shape = call.type.shape;
  if (call.out.empty()) return;
  const std::int64_t channels = shape[1];
  const std::int64_t inner = static_cast<std::int64_t>(call.out.size()) / (shape[0] * channels);
  const Real* x = call.data(0);
  Real* out = call.out.data();
  for (std::int64_t plane = 0; plane < shape[0] * channels; ++plane) {
    const std::int64_t c = plane % channels;
    const Real deviation = std::sqrt(call.data(4)[c] + static_cast<Real>(op.epsilon));
    for (std::int64_t i = 0; i < inner; ++i) {
      *out++ = call.data(1)[c] * ((*x++ - call.data(3)[c]) / deviation) + call.data(2)[c];
    }
  }
}

template <typename Real>
void compute(const Unary& op, const Call<Real>& call) {
  std::ranges::transform(call.inputs[0].data, call.out.begin(), [&](Real x) { return activate(op.function, x); });
  wrap(call);
}

template <typename Real>
void compute(const Binary& op, const Call<Real>& call) {
  const bool integer = is_integer(call.type.dtype);
  map_broadcast<2>(call, [&](Real x, Real y) { return apply(op.function, x, y, integer); });
  wrap(call);
}

template <typename Real>
void compute(const Where&, const Call<Real>& call) {
  map_broadcast<3>(call, [](Real condition, Real x, Real y) { return condition != 0 ? x : y; });
}

template <typename Real>
void compute(const Expand&, const Call<Real>& call) {
  map_broadcast<1>(call, [](Real x) { return x; });
}

template <typename Real>
void compute(const Cast& op, const Call<Real>& call) {
  std::ranges::transform(call.inputs[0].data, call.out.begin(),
                         [&](Real x) { return static_cast<Real>(as_type(static_cast<double>(x), op.to)); });
}

template void compute(const Identity&, const Call<double>&);
template void compute(const Identity&, const Call<float>&);
template void compute(const BatchNorm&, const Call<double>&);
template void compute(const BatchNorm&, const Call<float>&);
template void compute(const Unary&, const Call<double>&);
template void compute(const Unary&, const Call<float>&);
template void compute(const Binary&, const Call<double>&);
template void compute(const Binary&, const Call<float>&);
template void compute(const Where&, const Call<double>&);
template void compute(const Where&, const Call<float>&);
template void compute(const Expand&, const Call<double>&);
template void compute(const Expand&, const Call<float>&);
template void compute(const Cast&, const Call<double>&);
template void compute(const Cast&, const Call<float>&);

template double activate(const Activation&, double);
template float activate(const Activation&, float);

}  // namespace deeper::ir::oracle
