// Functions of one element: Unary, Cast.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_unary.cpp"
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

#ifndef DEEPER_NATIVE_UNARY_STATE
#define DEEPER_NATIVE_UNARY_STATE
namespace deeper::backend::native {
struct UnaryState {
  Nest<2> nest;
  ir::Activation function;
};
struct CastState {
  Nest<2> nest;
  ir::DataType to = ir::DataType::f32;
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

HWY_INLINE Vector set(float x) { return hn::Set(Tag(), x); }
HWY_INLINE Vector truth(hn::Mask<Tag> mask) { return hn::IfThenElseZero(mask, set(1)); }

HWY_INLINE Vector clip(Vector x, float least, float most) {
  const Vector raised = hn::IfThenElse(hn::Lt(x, set(least)), set(least), x);
  return hn::IfThenElse(hn::Gt(raised, set(most)), set(most), raised);
}

HWY_INLINE Vector exp(Vector x) {
  const Vector y = hn::Exp(Tag(), clip(x, -150, 104));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

HWY_INLINE Vector log(Vector x) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Vector y = hn::Log(Tag(), x);
  const Vector positive = hn::IfThenElse(hn::Eq(x, set(kInfinity)), x, y);
  const Vector zero_too = hn::IfThenElse(hn::Eq(x, set(0)), set(-kInfinity), positive);
  return hn::IfThenElse(hn::Or(hn::Lt(x, set(0)), hn::IsNaN(x)), set(std::numeric_limits<float>::quiet_NaN()),
                        zero_too);
}

struct Identity {
  HWY_INLINE Vector operator()(Vector x) const { return x; }
};
struct Relu {
  HWY_INLINE Vector operator()(Vector x) const { return hn::IfThenElse(hn::Lt(x, set(0)), set(0), x); }
};
struct LeakyRelu {
  float alpha;
  HWY_INLINE Vector operator()(Vector x) const { return hn::IfThenElse(hn::Lt(x, set(0)), hn::Mul(x, set(alpha)), x); }
};
struct Clip {
  float least;
  float most;
  HWY_INLINE Vector operator()(Vector x) const { return clip(x, least, most); }
};
struct Sigmoid {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Div(set(1), hn::Add(set(1), exp(hn::Neg(x)))); }
};
struct Tanh {
  HWY_INLINE Vector operator()(Vector x) const {
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(Tag(), clip(x, -20, 20)));
  }
};
struct HardSigmoid {
  float alpha;
  float beta;
  HWY_INLINE Vector operator()(Vector x) const { return clip(hn::MulAdd(x, set(alpha), set(beta)), 0, 1); }
};
struct Abs {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Abs(x); }
};
struct Neg {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Neg(x); }
};
struct Sqrt {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Sqrt(x); }
};
struct Exp {
  HWY_INLINE Vector operator()(Vector x) const { return exp(x); }
};
struct Log {
  HWY_INLINE Vector operator()(Vector x) const { return log(x); }
};
struct Reciprocal {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Div(set(1), x); }
};
struct Floor {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Floor(x); }
};
struct Ceil {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Ceil(x); }
};
struct Round {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Round(x); }
};
struct Sign {
  HWY_INLINE Vector operator()(Vector x) const {
    const Vector sign = hn::Sub(truth(hn::Gt(x, set(0))), truth(hn::Lt(x, set(0))));
    return hn::IfThenElse(hn::IsNaN(x), x, sign);
  }
};
struct IsZero {
  HWY_INLINE Vector operator()(Vector x) const { return truth(hn::Eq(x, set(0))); }
};
struct IsNotZero {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Sub(set(1), truth(hn::Eq(x, set(0)))); }
};
struct Trunc {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Trunc(x); }
};
// Truncates towards zero, then keeps the low bits of Integer.
template <typename Integer>
struct Wrap {
  HWY_INLINE Vector operator()(Vector x) const {
    alignas(64) std::array<float, kMaxLanes> buffer;
    hn::StoreU(x, Tag(), buffer.data());
    for (std::size_t i = 0; i < hn::Lanes(Tag()); ++i) {
      const float least = -0x1p63F;
      const auto whole = buffer[i] >= least && buffer[i] < -least ? static_cast<std::int64_t>(buffer[i]) : 0;
      buffer[i] = static_cast<float>(static_cast<Integer>(whole));
    }
    return hn::LoadU(Tag(), buffer.data());
  }
};

void unary(const UnaryState& state, runtime::Addresses addresses, runtime::Team team) {
  const float alpha = state.function.alpha;
  const float beta = state.function.beta;
  switch (state.function.function) {
    case ir::Function::identity:
      return apply<1>(Identity{}, state.nest, addresses, team);
    case ir::Function::relu:
      return apply<1>(Relu{}, state.nest, addresses, team);
    case ir::Function::leaky_relu:
      return apply<1>(LeakyRelu{alpha}, state.nest, addresses, team);
    case ir::Function::clip:
      return apply<1>(Clip{alpha, beta}, state.nest, addresses, team);
    case ir::Function::sigmoid:
      return apply<1>(Sigmoid{}, state.nest, addresses, team);
    case ir::Function::tanh:
      return apply<1>(Tanh{}, state.nest, addresses, team);
    case ir::Function::hard_sigmoid:
      return apply<1>(HardSigmoid{alpha, beta}, state.nest, addresses, team);
    case ir::Function::abs:
      return apply<1>(Abs{}, state.nest, addresses, team);
    case ir::Function::neg:
      return apply<1>(Neg{}, state.nest, addresses, team);
    case ir::Function::sqrt:
      return apply<1>(Sqrt{}, state.nest, addresses, team);
    case ir::Function::exp:
      return apply<1>(Exp{}, state.nest, addresses, team);
    case ir::Function::log:
      return apply<1>(Log{}, state.nest, addresses, team);
    case ir::Function::reciprocal:
      return apply<1>(Reciprocal{}, state.nest, addresses, team);
    case ir::Function::floor:
      return apply<1>(Floor{}, state.nest, addresses, team);
    case ir::Function::ceil:
      return apply<1>(Ceil{}, state.nest, addresses, team);
    case ir::Function::round:
      return apply<1>(Round{}, state.nest, addresses, team);
    case ir::Function::sign:
      return apply<1>(Sign{}, state.nest, addresses, team);
    case ir::Function::logical_not:
      return apply<1>(IsZero{}, state.nest, addresses, team);
  }
}

void cast(const CastState& state, runtime::Addresses addresses, runtime::Team team) {
  switch (state.to) {
    case ir::DataType::f32:
      return apply<1>(Identity{}, state.nest, addresses, team);
    case ir::DataType::i64:
      return apply<1>(Trunc{}, state.nest, addresses, team);
    case ir::DataType::i32:
      return apply<1>(Wrap<std::int32_t>{}, state.nest, addresses, team);
    case ir::DataType::u8:
      return apply<1>(Wrap<std::uint8_t>{}, state.nest, addresses, team);
    case ir::DataType::i8:
      return apply<1>(Wrap<std::int8_t>{}, state.nest, addresses, team);
    case ir::DataType::boolean:
      return apply<1>(IsNotZero{}, state.nest, addresses, team);
  }
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(unary);
HWY_EXPORT(cast);

void run_unary(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(unary)(*static_cast<const UnaryState*>(state), addresses, team);
}

void run_cast(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(cast)(*static_cast<const CastState*>(state), addresses, team);
}

}  // namespace

runtime::Executable prepare_unary(const runtime::Step& step, int) {
  require_sound(step);
  const Nest<2> nest = make_nest<2>({layout_of(operand_at(step, 0)), layout_of(step.result)});
  if (const auto* op = std::get_if<ir::Cast>(&step.op)) {
    return team_kernel(run_cast, std::make_shared<const CastState>(CastState{nest, op->to}));
  }
  return team_kernel(run_unary, std::make_shared<const UnaryState>(UnaryState{nest, op_as<ir::Unary>(step).function}));
}

}  // namespace deeper::backend::native
#endif
