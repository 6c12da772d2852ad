// A matrix product of few rows: every weight is read once from memory and met by all rows while it is in cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_matvec.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Behind foreach_target.h.
#include <algorithm>
#include <memory>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/epilogue-inl.h"
#include "backend/kernels/native_common.h"
#include "backend/kernels/native_vector-inl.h"

#ifndef DEEPER_NATIVE_MATVEC_STATE
#define DEEPER_NATIVE_MATVEC_STATE
namespace deeper::backend::native {
constexpr std::int64_t kOutputs = 4;  // computed at once
struct MatvecState {
  std::int64_t rows = 0;
  std::int64_t outputs = 0;
  std::int64_t depth = 0;
  std::int64_t x_row = 0, y_row = 0;  // strides
  std::int64_t weights_output = 0;    // from the weights of one output to the next
  bool has_bias = false;
  Epilogue epilogue;
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

// sums[i] = the product of x and the weights of output i of kCount; fetches those of the outputs behind.
template <int kCount>
HWY_INLINE void multiply(const float* x, const float* weights, std::int64_t next, std::int64_t depth, float* sums) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  Vector all[kCount];
  for (Vector& sum : all) sum = hn::Zero(d);
  std::int64_t k = 0;
  for (; k + lanes <= depth; k += lanes) {
    const Vector right = hn::LoadU(d, x + k);
#pragma GCC unroll 4
    for (int i = 0; i < kCount; ++i) {
      all[i] = hn::MulAdd(hn::LoadU(d, weights + i * next + k), right, all[i]);
      __builtin_prefetch(weights + (i + kCount) * next + k, 0, 2);
    }
  }
  if (k < depth) {
    const Vector right = load_some(x + k, depth - k);
    for (int i = 0; i < kCount; ++i) {
      all[i] = hn::MulAdd(load_some(weights + i * next + k, depth - k), right, all[i]);
    }
  }
  for (int i = 0; i < kCount; ++i) sums[i] = hn::GetLane(hn::SumOfLanes(d, all[i]));
}

void matvec(const MatvecState& state, runtime::Addresses addresses, runtime::Team team) {
  const float* const x = input(addresses, 0);
  const float* const weights = input(addresses, 1);
  const float* const bias = state.has_bias ? input(addresses, 2) : nullptr;
  float* const y = output(addresses, state.has_bias ? 3 : 2);
  const hn::CappedTag<float, 1> one;
  const Range outputs = share(state.outputs, kOutputs, team);
  for (std::int64_t first = outputs.begin; first < outputs.end; first += kOutputs) {
    const std::int64_t count = std::min(kOutputs, outputs.end - first);
    const float* from = weights + first * state.weights_output;
    for (std::int64_t row = 0; row < state.rows; ++row) {
      float sums[kOutputs];
      if (count == kOutputs) {
        multiply<kOutputs>(x + row * state.x_row, from, state.weights_output, state.depth, sums);
      } else {
        for (std::int64_t i = 0; i < count; ++i) {
          multiply<1>(x + row * state.x_row, from + i * state.weights_output, 0, state.depth, sums + i);
        }
      }
      for (std::int64_t i = 0; i < count; ++i) {
        const auto sum = hn::Set(one, sums[i] + (bias != nullptr ? bias[first + i] : 0.0F));
        hn::StoreU(backend::HWY_NAMESPACE::activated(one, sum, state.epilogue), one, y + row * state.y_row + first + i);
      }
    }
  }
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(matvec);

void run_matvec(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(matvec)(*static_cast<const MatvecState*>(state), addresses, team);
}

}  // namespace

runtime::Executable prepare_matvec(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::MatMul>(step);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout weights = layout_of(operand_at(step, 1));
  const Layout y = layout_of(step.result);
  require(x.shape.size() == 2 && weights.shape.size() == 2, "it is no product of two matrices");
  require(has_simple_activation(op.activation), "products of few rows lack this activation");
  const std::size_t k = op.transpose_b ? 1 : 0;
  const auto is_adjacent = [](const Layout& layout, std::size_t axis) {
    return layout.shape[axis] == 1 || layout.strides[axis] == 1;
  };
  require(is_adjacent(x, 1) && is_adjacent(weights, k) && is_adjacent(y, 1), "what it multiplies is not adjacent");
  auto state = std::make_shared<MatvecState>();
  state->has_bias = step.operands.size() > 2 && step.operands[2].space != runtime::Space::none;
  require(step.operands.size() == (state->has_bias ? 3 : 2), "it has another number of operands");
  if (state->has_bias) require(operand_at(step, 2).strides == ir::Shape{1}, "a bias is not contiguous");
  state->rows = x.shape[0];
  state->depth = x.shape[1];
  state->outputs = y.shape[1];
  state->x_row = x.strides[0];
  state->y_row = y.strides[0];
  state->weights_output = weights.strides[1 - k];
  state->epilogue = make_epilogue(op.activation);
  return team_kernel(run_matvec, std::move(state));
}

}  // namespace deeper::backend::native
#endif
