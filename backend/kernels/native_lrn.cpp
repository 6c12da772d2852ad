// Local response normalisation across channels. Where channels are contiguous lanes are channels; the few at either end
// whose window leaves the image go through a buffer with zeros around.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_lrn.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Behind foreach_target.h.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "backend/kernels/native_common.h"
#include "backend/kernels/native_vector-inl.h"

#ifndef DEEPER_NATIVE_LRN_STATE
#define DEEPER_NATIVE_LRN_STATE
namespace deeper::backend::native {
inline constexpr std::int64_t kMaxVectorWindow = 33;
struct LrnState {
  Nest<2> outer;  // all axes but the channels; operand, result
  std::int64_t channels = 0;
  std::int64_t x_channel = 0;
  std::int64_t y_channel = 0;
  std::int64_t before = 0;  // channels of the window ahead of the one it is for
  std::int64_t behind = 0;
  float factor = 0;  // of the sum of squares
  float bias = 0;
  float beta = 0;
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

struct PowerThreeQuarters {  // x^-3/4
  HWY_INLINE Vector operator()(Vector x) const {
    const Vector root = hn::Sqrt(x);
    return hn::Div(hn::Set(Tag(), 1), hn::Mul(root, hn::Sqrt(root)));
  }
};
struct PowerHalf {  // x^-1/2
  HWY_INLINE Vector operator()(Vector x) const { return hn::Div(hn::Set(Tag(), 1), hn::Sqrt(x)); }
};
struct PowerOne {  // x^-1
  HWY_INLINE Vector operator()(Vector x) const { return hn::Div(hn::Set(Tag(), 1), x); }
};
struct PowerAny {  // x^-beta
  float beta;
  HWY_INLINE Vector operator()(Vector x) const {
    return hn::Exp(Tag(), hn::Mul(hn::Set(Tag(), -beta), hn::Log(Tag(), x)));
  }
};

// The lanes from x on; all x[-before] to x[lanes - 1 + behind] exist.
template <typename Power>
HWY_INLINE Vector normalised(const LrnState& state, const Power& power, const float* x) {
  const Tag d;
  Vector squares = hn::Zero(d);
  for (std::int64_t k = -state.before; k <= state.behind; ++k) {
    const Vector neighbour = hn::LoadU(d, x + k);
    squares = hn::MulAdd(neighbour, neighbour, squares);
  }
  const Vector base = hn::MulAdd(squares, hn::Set(d, state.factor), hn::Set(d, state.bias));
  return hn::Mul(hn::LoadU(d, x), power(base));
}

// Channels [c, c + some) near an end.
template <typename Power>
void normalise_edge(const LrnState& state, const Power& power, const float* x, float* y, std::int64_t c,
                    std::int64_t some) {
  alignas(64) std::array<float, kMaxVectorWindow + 2 * kMaxLanes> buffer{};
  const std::int64_t first = std::max<std::int64_t>(0, c - state.before);
  const std::int64_t end = std::min(state.channels, c + some + state.behind);
  float* const at = buffer.data() + state.before;  // channel c
  std::memcpy(at + (first - c), x + first, static_cast<std::size_t>(end - first) * sizeof(float));
  store_some(normalised(state, power, at), y + c, some);
}

template <typename Power>
void normalise_pixel(const LrnState& state, const Power& power, const float* x, float* y) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  std::int64_t c = 0;
  while (c < state.channels) {
    const std::int64_t some = std::min(lanes, state.channels - c);
    if (c >= state.before && c + lanes + state.behind <= state.channels) {
      hn::StoreU(normalised(state, power, x + c), Tag(), y + c);
    } else {
      normalise_edge(state, power, x, y, c, some);
    }
    c += some;
  }
}

// Any layout, one element at a time.
void normalise_strided(const LrnState& state, const float* x, float* y) {
  for (std::int64_t c = 0; c < state.channels; ++c) {
    const std::int64_t last = std::min(state.channels - 1, c + state.behind);
    float squares = 0;
    for (std::int64_t k = std::max<std::int64_t>(0, c - state.before); k <= last; ++k) {
      squares += x[k * state.x_channel] * x[k * state.x_channel];
    }
    const float base = state.bias + state.factor * squares;
    y[c * state.y_channel] = x[c * state.x_channel] * std::pow(base, -state.beta);
  }
}

template <typename Power>
void lrn_contiguous(const LrnState& state, const Power& power, runtime::Addresses addresses, runtime::Team team) {
  const std::int64_t x_step = state.outer.inner_stride(0);
  const std::int64_t y_step = state.outer.inner_stride(1);
  walk(state.outer, share(state.outer.total, 8, team), [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
    const float* x = input(addresses, 0) + offsets[0];
    float* y = output(addresses, 1) + offsets[1];
    for (std::int64_t i = 0; i < n; ++i) normalise_pixel(state, power, x + i * x_step, y + i * y_step);
  });
}

void lrn_strided(const LrnState& state, runtime::Addresses addresses, runtime::Team team) {
  const std::int64_t x_step = state.outer.inner_stride(0);
  const std::int64_t y_step = state.outer.inner_stride(1);
  walk(state.outer, share(state.outer.total, 8, team), [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
    const float* x = input(addresses, 0) + offsets[0];
    float* y = output(addresses, 1) + offsets[1];
    for (std::int64_t i = 0; i < n; ++i) normalise_strided(state, x + i * x_step, y + i * y_step);
  });
}

void lrn(const LrnState& state, runtime::Addresses addresses, runtime::Team team) {
  const bool contiguous = state.x_channel == 1 && state.y_channel == 1;
  if (!contiguous || state.before + state.behind >= kMaxVectorWindow) return lrn_strided(state, addresses, team);
  if (state.beta == 0.75F) return lrn_contiguous(state, PowerThreeQuarters{}, addresses, team);
  if (state.beta == 0.5F) return lrn_contiguous(state, PowerHalf{}, addresses, team);
  if (state.beta == 1.0F) return lrn_contiguous(state, PowerOne{}, addresses, team);
  lrn_contiguous(state, PowerAny{state.beta}, addresses, team);
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(lrn);

void run_lrn(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(lrn)(*static_cast<const LrnState*>(state), addresses, team);
}

Layout without_channels(const Layout& layout) {
  Layout rest = layout;
  rest.shape.erase(rest.shape.begin() + 1);
  rest.strides.erase(rest.strides.begin() + 1);
  return rest;
}

}  // namespace

runtime::Executable prepare_lrn(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::Lrn>(step);
  require(op.size <= (std::int64_t{1} << 31), "the window is too large");
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  auto state = std::make_shared<LrnState>();
  state->outer = make_nest<2>({without_channels(x), without_channels(y)});
  state->channels = x.shape[1];
  state->x_channel = x.strides[1];
  state->y_channel = y.strides[1];
  state->before = std::min((op.size - 1) / 2, x.shape[1]);
  state->behind = std::min(op.size / 2, x.shape[1]);
  state->factor = op.alpha / static_cast<float>(op.size);
  state->bias = op.bias;
  state->beta = op.beta;
  return team_kernel(run_lrn, std::move(state));
}

}  // namespace deeper::backend::native
#endif
