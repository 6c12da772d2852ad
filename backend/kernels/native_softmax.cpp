// Softmax and its logarithm along one axis, a line at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_softmax.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Behind foreach_target.h.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "backend/kernels/native_common.h"
#include "backend/kernels/native_vector-inl.h"

#ifndef DEEPER_NATIVE_SOFTMAX_STATE
#define DEEPER_NATIVE_SOFTMAX_STATE
namespace deeper::backend::native {
struct SoftmaxState {
  Nest<2> lines;  // all axes but the line's; operand, result
  std::int64_t extent = 0;
  std::int64_t x_step = 0;
  std::int64_t y_step = 0;
  bool log = false;
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

HWY_INLINE Vector exp_of_non_positive(Vector x) { return hn::Exp(Tag(), hn::Max(x, hn::Set(Tag(), -150))); }

float largest(const float* x, std::int64_t n) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  float result = -std::numeric_limits<float>::infinity();
  std::int64_t i = 0;
  if (n >= lanes) {
    Vector most = hn::LoadU(d, x);
    for (i = lanes; i + lanes <= n; i += lanes) most = hn::Max(most, hn::LoadU(d, x + i));
    result = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; i < n; ++i) result = std::max(result, x[i]);
  return result;
}

// y = exp(x - most); gives the sum.
float exponentials(const float* x, float* y, std::int64_t n, float most) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const Vector shift = hn::Set(d, most);
  Vector sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vector e = exp_of_non_positive(hn::Sub(hn::LoadU(d, x + i), shift));
    hn::StoreU(e, d, y + i);
    sum = hn::Add(sum, e);
  }
  float rest = 0;
  if (i < n) {
    store_some(exp_of_non_positive(hn::Sub(load_some(x + i, n - i), shift)), y + i, n - i);
    for (; i < n; ++i) rest += y[i];
  }
  return hn::GetLane(hn::SumOfLanes(d, sum)) + rest;
}

// x and y may be one.
void softmax_line(const float* x, float* y, std::int64_t n, bool log) {
  const float most = largest(x, n);
  if (!log) {
    const float scale = 1.0F / exponentials(x, y, n, most);
    for (std::int64_t i = 0; i < n; ++i) y[i] *= scale;
    return;
  }
  float sum = 0;
  alignas(64) std::array<float, kChunk> unused;
  for (std::int64_t i = 0; i < n; i += kChunk) sum += exponentials(x + i, unused.data(), std::min(kChunk, n - i), most);
  const float log_of_sum = std::log(sum);
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] - most - log_of_sum;
}

void softmax_line_strided(const SoftmaxState& state, const float* x, float* y) {
  float most = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < state.extent; ++i) most = std::max(most, x[i * state.x_step]);
  float sum = 0;
  for (std::int64_t i = 0; i < state.extent; ++i) sum += std::exp(x[i * state.x_step] - most);
  const float log_of_sum = state.log ? std::log(sum) : 0;
  for (std::int64_t i = 0; i < state.extent; ++i) {
    const float shifted = x[i * state.x_step] - most;
    y[i * state.y_step] = state.log ? shifted - log_of_sum : std::exp(shifted) / sum;
  }
}

void softmax(const SoftmaxState& state, runtime::Addresses addresses, runtime::Team team) {
  const bool contiguous = state.x_step == 1 && state.y_step == 1;
  const std::int64_t grain = std::max<std::int64_t>(1, 512 / std::max<std::int64_t>(1, state.extent));
  const std::int64_t x_next = state.lines.inner_stride(0);
  const std::int64_t y_next = state.lines.inner_stride(1);
  walk(state.lines, share(state.lines.total, grain, team),
       [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
         for (std::int64_t i = 0; i < n; ++i) {
           const float* x = input(addresses, 0) + offsets[0] + i * x_next;
           float* y = output(addresses, 1) + offsets[1] + i * y_next;
           if (contiguous) {
             softmax_line(x, y, state.extent, state.log);
           } else {
             softmax_line_strided(state, x, y);
           }
         }
       });
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(softmax);

void run_softmax(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(softmax)(*static_cast<const SoftmaxState*>(state), addresses, team);
}

Layout without_axis(const Layout& layout, std::int64_t axis) {
  Layout rest = layout;
  rest.shape.erase(rest.shape.begin() + axis);
  rest.strides.erase(rest.strides.begin() + axis);
  return rest;
}

}  // namespace

runtime::Executable prepare_softmax(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::Softmax>(step);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  const auto axis = static_cast<std::size_t>(op.axis);
  auto state = std::make_shared<SoftmaxState>();
  state->lines = make_nest<2>({without_axis(x, op.axis), without_axis(y, op.axis)});
  state->extent = x.shape[axis];
  state->x_step = x.shape[axis] == 1 ? 1 : x.strides[axis];
  state->y_step = x.shape[axis] == 1 ? 1 : y.strides[axis];
  state->log = op.log;
  return team_kernel(run_softmax, std::move(state));
}

}  // namespace deeper::backend::native
#endif
