// Local response normalisation across channels. Where channels are contiguous lanes are channels; those whose window
// leaves the image are masked.
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

// x times the power of its window's sum, lanes from x on; load(k) gives x[k] to x[k + lanes - 1], zeros outside the
// image.
template <typename Power, typename Load>
HWY_INLINE Vector normalised(const LrnState& state, const Power& power, const Load& load) {
  const Tag d;
  Vector squares = hn::Zero(d);
  for (std::int64_t k = -state.before; k <= state.behind; ++k) {
    const Vector neighbour = load(k);
    squares = hn::MulAdd(neighbour, neighbour, squares);
  }
  const Vector base = hn::MulAdd(squares, hn::Set(d, state.factor), hn::Set(d, state.bias));
  return hn::Mul(load(0), power(base));
}

// What of channels [c, c + lanes) at x is in the image; loads past it find the memory of the pixels around.
HWY_INLINE Vector load_inside(const float* x, std::int64_t c, std::int64_t channels) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto first = [&](std::int64_t n) {
    return hn::FirstN(d, static_cast<std::size_t>(std::clamp<std::int64_t>(n, 0, lanes)));
  };
  return hn::IfThenElseZero(first(channels - c), hn::IfThenZeroElse(first(-c), hn::LoadU(d, x + c)));
}

// Channels from c on near an end of a pixel that has others on both sides.
template <typename Power>
HWY_INLINE Vector normalised_edge(const LrnState& state, const Power& power, const float* x, std::int64_t c) {
  return normalised(state, power, [&](std::int64_t k) { return load_inside(x, c + k, state.channels); });
}

// The same for a pixel that may be the first or last in memory: from a copy with zeros around.
template <typename Power>
HWY_INLINE Vector normalised_copy(const LrnState& state, const Power& power, const float* x, std::int64_t c) {
  alignas(64) std::array<float, kMaxVectorWindow + 2 * kMaxLanes> buffer{};
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  const std::int64_t first = std::max<std::int64_t>(0, c - state.before);
  const std::int64_t end = std::min(state.channels, c + lanes + state.behind);
  float* const at = buffer.data() + state.before;  // channel c
  std::memcpy(at + (first - c), x + first, static_cast<std::size_t>(end - first) * sizeof(float));
  return normalised(state, power, [&](std::int64_t k) { return hn::LoadU(Tag(), at + k); });
}

template <typename Power>
void normalise_pixel(const LrnState& state, const Power& power, const float* x, float* y, bool amid_others) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  for (std::int64_t c = 0; c < state.channels; c += lanes) {
    if (c >= state.before && c + lanes + state.behind <= state.channels) {
      hn::StoreU(normalised(state, power, [&](std::int64_t k) { return hn::LoadU(Tag(), x + c + k); }), Tag(), y + c);
      continue;
    }
    const Vector result = amid_others ? normalised_edge(state, power, x, c) : normalised_copy(state, power, x, c);
    if (c + lanes <= state.channels) {
      hn::StoreU(result, Tag(), y + c);
    } else {
      store_some(result, y + c, state.channels - c);
    }
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
  // Pixels at either end of a row whose window and vector may reach past its memory.
  const std::int64_t margin = x_step > 0 ? (kMaxVectorWindow + kMaxLanes) / x_step + 1 : state.outer.total;
  const std::int64_t y_step = state.outer.inner_stride(1);
  walk(state.outer, share(state.outer.total, 8, team), [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
    const float* x = input(addresses, 0) + offsets[0];
    float* y = output(addresses, 1) + offsets[1];
    for (std::int64_t i = 0; i < n; ++i) {
      normalise_pixel(state, power, x + i * x_step, y + i * y_step, i >= margin && i < n - margin);
    }
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
