// Reductions over any axes. Where the result's contiguous axis is contiguous in the operand too (the mean over the
// pixels of an NHWC image) lanes are results; elsewhere every result is a sum of its own.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_reduce.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Behind foreach_target.h.
#include <algorithm>
#include <limits>
#include <memory>

#include "backend/kernels/native_common.h"
#include "backend/kernels/native_vector-inl.h"

#ifndef DEEPER_NATIVE_REDUCE_STATE
#define DEEPER_NATIVE_REDUCE_STATE
namespace deeper::backend::native {
struct ReduceState {
  ir::ReduceKind kind = ir::ReduceKind::sum;
  Nest<2> kept;     // operand, result
  Nest<2> reduced;  // operand, operand
  float scale = 1;  // of the result
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

HWY_INLINE Vector set(float x) { return hn::Set(Tag(), x); }

struct Sum {
  static constexpr float kStart = 0;
  static HWY_INLINE Vector join(Vector a, Vector b) { return hn::Add(a, b); }
};
struct Product {
  static constexpr float kStart = 1;
  static HWY_INLINE Vector join(Vector a, Vector b) { return hn::Mul(a, b); }
};
struct Largest {
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  static HWY_INLINE Vector join(Vector a, Vector b) { return hn::Max(a, b); }
};
struct Smallest {
  static constexpr float kStart = std::numeric_limits<float>::infinity();
  static HWY_INLINE Vector join(Vector a, Vector b) { return hn::Min(a, b); }
};

// Lanes are results: n results from x on.
template <typename Kind>
void reduce_lanes(const ReduceState& state, const float* x, float* y, std::int64_t n) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t step = state.reduced.inner_stride(0);
  for (std::int64_t i = 0; i < n; i += lanes) {
    const std::int64_t some = n - i < lanes ? n - i : lanes;
    Vector even = set(Kind::kStart);
    Vector odd = even;
    walk(state.reduced, {0, state.reduced.total},
         [&](const std::array<std::int64_t, 2>& offsets, std::int64_t count) HWY_ATTR {
           const float* from = x + i + offsets[0];
           if (some < lanes) {
             for (std::int64_t k = 0; k < count; ++k) even = Kind::join(even, load_some(from + k * step, some));
             return;
           }
           std::int64_t k = 0;
           for (; k + 2 <= count; k += 2) {
             even = Kind::join(even, hn::LoadU(d, from + k * step));
             odd = Kind::join(odd, hn::LoadU(d, from + (k + 1) * step));
           }
           if (k < count) even = Kind::join(even, hn::LoadU(d, from + k * step));
         });
    const Vector result = hn::Mul(Kind::join(even, odd), set(state.scale));
    if (some < lanes) {
      store_some(result, y + i, some);
    } else {
      hn::StoreU(result, d, y + i);
    }
  }
}

template <typename Kind>
HWY_INLINE float join_lanes(Vector vector) {
  alignas(64) std::array<float, kMaxLanes> buffer;
  hn::StoreU(vector, Tag(), buffer.data());
  Vector result = set(buffer[0]);
  for (std::size_t i = 1; i < hn::Lanes(Tag()); ++i) result = Kind::join(result, set(buffer[i]));
  return hn::GetLane(result);
}

// One result from all that the reduced nest reads from x on.
template <typename Kind>
float reduce_one(const ReduceState& state, const float* x) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t step = state.reduced.inner_stride(0);
  Vector even = set(Kind::kStart);
  Vector odd = even;
  Vector single = even;  // all lanes equal
  walk(state.reduced, {0, state.reduced.total},
       [&](const std::array<std::int64_t, 2>& offsets, std::int64_t count) HWY_ATTR {
         const float* from = x + offsets[0];
         std::int64_t k = 0;
         if (step == 1) {
           for (; k + 2 * lanes <= count; k += 2 * lanes) {
             even = Kind::join(even, hn::LoadU(d, from + k));
             odd = Kind::join(odd, hn::LoadU(d, from + k + lanes));
           }
         }
         for (; k < count; ++k) single = Kind::join(single, set(from[k * step]));
       });
  const float lanes_joined = join_lanes<Kind>(Kind::join(even, odd));
  return hn::GetLane(Kind::join(single, set(lanes_joined))) * state.scale;
}

template <typename Kind>
void reduce_kind(const ReduceState& state, runtime::Addresses addresses, runtime::Team team) {
  const std::int64_t x_step = state.kept.inner_stride(0);
  const std::int64_t y_step = state.kept.inner_stride(1);
  const Range range = share(state.kept.total, x_step == 1 ? 64 : 8, team);
  walk(state.kept, range, [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
    const float* x = input(addresses, 0) + offsets[0];
    float* y = output(addresses, 1) + offsets[1];
    if (x_step == 1 && y_step == 1) return reduce_lanes<Kind>(state, x, y, n);
    for (std::int64_t i = 0; i < n; ++i) y[i * y_step] = reduce_one<Kind>(state, x + i * x_step);
  });
}

void reduce(const ReduceState& state, runtime::Addresses addresses, runtime::Team team) {
  switch (state.kind) {
    case ir::ReduceKind::sum:
    case ir::ReduceKind::mean:
      return reduce_kind<Sum>(state, addresses, team);
    case ir::ReduceKind::prod:
      return reduce_kind<Product>(state, addresses, team);
    case ir::ReduceKind::max:
      return reduce_kind<Largest>(state, addresses, team);
    case ir::ReduceKind::min:
      return reduce_kind<Smallest>(state, addresses, team);
  }
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(reduce);

void run_reduce(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(reduce)(*static_cast<const ReduceState*>(state), addresses, team);
}

}  // namespace

runtime::Executable prepare_reduce(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::Reduce>(step);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  Layout kept_x;
  Layout kept_y;
  Layout reduced;
  std::size_t y_axis = 0;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    const bool is_reduced = std::ranges::binary_search(op.axes, static_cast<std::int64_t>(i));
    Layout& to = is_reduced ? reduced : kept_x;
    to.shape.push_back(x.shape[i]);
    to.strides.push_back(x.strides[i]);
    if (!is_reduced) {
      kept_y.shape.push_back(y.shape[y_axis]);
      kept_y.strides.push_back(y.strides[y_axis]);
    }
    if (!is_reduced || op.keepdims) ++y_axis;
  }
  auto state = std::make_shared<ReduceState>();
  state->kind = op.kind;
  state->kept = make_nest<2>({kept_x, kept_y});
  state->reduced = make_nest<2>({reduced, reduced});
  if (op.kind == ir::ReduceKind::mean) state->scale = 1.0F / static_cast<float>(state->reduced.total);
  return team_kernel(run_reduce, std::move(state));
}

}  // namespace deeper::backend::native
#endif
