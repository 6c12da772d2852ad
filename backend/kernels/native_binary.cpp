// Functions of two or three elements: Binary, Where.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_binary.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Behind foreach_target.h.
#include <algorithm>
#include <cmath>
#include <memory>

#include "backend/kernels/native_common.h"
#include "backend/kernels/native_vector-inl.h"

#ifndef DEEPER_NATIVE_BINARY_STATE
#define DEEPER_NATIVE_BINARY_STATE
namespace deeper::backend::native {
struct BinaryState {
  Nest<3> nest;
  ir::BinaryFunction function = ir::BinaryFunction::add;
  ir::DataType dtype = ir::DataType::f32;
};
struct WhereState {
  Nest<4> nest;
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

HWY_INLINE Vector set(float x) { return hn::Set(Tag(), x); }
HWY_INLINE Vector truth(hn::Mask<Tag> mask) { return hn::IfThenElseZero(mask, set(1)); }

struct Add {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return hn::Add(x, y); }
};
struct Sub {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return hn::Sub(x, y); }
};
struct Mul {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return hn::Mul(x, y); }
};
struct Div {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return hn::Div(x, y); }
};
// NaN where either is.
struct Max {
  HWY_INLINE Vector operator()(Vector x, Vector y) const {
    return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Gt(x, y)), x, y);
  }
};
struct Min {
  HWY_INLINE Vector operator()(Vector x, Vector y) const {
    return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Lt(x, y)), x, y);
  }
};
struct Prelu {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return hn::IfThenElse(hn::Lt(x, set(0)), hn::Mul(x, y), x); }
};
struct Equal {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return truth(hn::Eq(x, y)); }
};
struct Less {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return truth(hn::Lt(x, y)); }
};
struct LessEqual {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return truth(hn::Le(x, y)); }
};
struct And {
  HWY_INLINE Vector operator()(Vector x, Vector y) const {
    return truth(hn::And(hn::Ne(x, set(0)), hn::Ne(y, set(0))));
  }
};
struct Or {
  HWY_INLINE Vector operator()(Vector x, Vector y) const { return truth(hn::Or(hn::Ne(x, set(0)), hn::Ne(y, set(0)))); }
};
struct Swapped {
  // Greater and GreaterEqual.
  bool or_equal;
  HWY_INLINE Vector operator()(Vector x, Vector y) const {
    return or_equal ? truth(hn::Ge(x, y)) : truth(hn::Gt(x, y));
  }
};

// Element by element, in double.
template <typename Function>
struct Scalar {
  Function function;
  HWY_INLINE Vector operator()(Vector x, Vector y) const {
    alignas(64) std::array<float, kMaxLanes> a;
    alignas(64) std::array<float, kMaxLanes> b;
    hn::StoreU(x, Tag(), a.data());
    hn::StoreU(y, Tag(), b.data());
    for (std::size_t i = 0; i < hn::Lanes(Tag()); ++i) a[i] = static_cast<float>(function(a[i], b[i]));
    return hn::LoadU(Tag(), a.data());
  }
};
struct Pow {
  double operator()(double x, double y) const { return y == 2 ? x * x : y == 0.5 ? std::sqrt(x) : std::pow(x, y); }
};
struct Modulo {
  bool integer;
  double operator()(double x, double y) const {
    const double rest = std::fmod(x, y);
    return integer && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
};
struct IntegerDivision {
  double operator()(double x, double y) const { return std::trunc(x / y); }
};
// As an integer type of 32 bits or fewer keeps it.
template <typename Function>
struct Wrapped {
  Function function;
  ir::DataType dtype;
  double operator()(double x, double y) const {
    const double result = function(x, y);
    const std::int64_t whole = std::abs(result) < 0x1p63 ? static_cast<std::int64_t>(result) : 0;
    if (dtype == ir::DataType::i32) return static_cast<std::int32_t>(whole);
    if (dtype == ir::DataType::u8) return static_cast<std::uint8_t>(whole);
    if (dtype == ir::DataType::i8) return static_cast<std::int8_t>(whole);
    return std::trunc(result);
  }
};

// add, sub, mul, div, mod and pow, as they depend on the element type.
template <typename Float, typename Integer>
void arithmetic(const BinaryState& state, Float on_floats, Integer on_integers, runtime::Addresses addresses,
                runtime::Team team) {
  if (state.dtype == ir::DataType::f32) return apply<2>(on_floats, state.nest, addresses, team);
  const Scalar<Wrapped<Integer>> wrapped{{on_integers, state.dtype}};
  apply<2>(wrapped, state.nest, addresses, team);
}

void binary(const BinaryState& state, runtime::Addresses addresses, runtime::Team team) {
  switch (state.function) {
    case ir::BinaryFunction::add:
      return arithmetic(state, Add{}, std::plus<double>{}, addresses, team);
    case ir::BinaryFunction::sub:
      return arithmetic(state, Sub{}, std::minus<double>{}, addresses, team);
    case ir::BinaryFunction::mul:
      return arithmetic(state, Mul{}, std::multiplies<double>{}, addresses, team);
    case ir::BinaryFunction::div:
      return arithmetic(state, Div{}, IntegerDivision{}, addresses, team);
    case ir::BinaryFunction::pow:
      return arithmetic(state, Scalar<Pow>{}, Pow{}, addresses, team);
    case ir::BinaryFunction::mod:
      return arithmetic(state, Scalar<Modulo>{{false}}, Modulo{true}, addresses, team);
    case ir::BinaryFunction::max:
      return apply<2>(Max{}, state.nest, addresses, team);
    case ir::BinaryFunction::min:
      return apply<2>(Min{}, state.nest, addresses, team);
    case ir::BinaryFunction::prelu:
      return apply<2>(Prelu{}, state.nest, addresses, team);
    case ir::BinaryFunction::equal:
      return apply<2>(Equal{}, state.nest, addresses, team);
    case ir::BinaryFunction::less:
      return apply<2>(Less{}, state.nest, addresses, team);
    case ir::BinaryFunction::less_equal:
      return apply<2>(LessEqual{}, state.nest, addresses, team);
    case ir::BinaryFunction::greater:
      return apply<2>(Swapped{false}, state.nest, addresses, team);
    case ir::BinaryFunction::greater_equal:
      return apply<2>(Swapped{true}, state.nest, addresses, team);
    case ir::BinaryFunction::logical_and:
      return apply<2>(And{}, state.nest, addresses, team);
    case ir::BinaryFunction::logical_or:
      return apply<2>(Or{}, state.nest, addresses, team);
  }
}

struct Choose {
  HWY_INLINE Vector operator()(Vector condition, Vector x, Vector y) const {
    return hn::IfThenElse(hn::Ne(condition, set(0)), x, y);
  }
};

void where(const WhereState& state, runtime::Addresses addresses, runtime::Team team) {
  apply<3>(Choose{}, state.nest, addresses, team);
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(binary);
HWY_EXPORT(where);

void run_binary(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(binary)(*static_cast<const BinaryState*>(state), addresses, team);
}

void run_where(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(where)(*static_cast<const WhereState*>(state), addresses, team);
}

Layout broadcast_operand(const runtime::Step& step, std::size_t i) {
  return broadcast_to(layout_of(operand_at(step, i)), step.result.shape);
}

}  // namespace

runtime::Executable prepare_binary(const runtime::Step& step, int) {
  require_sound(step);
  BinaryState state;
  state.function = op_as<ir::Binary>(step).function;
  const std::int64_t dtype = step.tuning.empty() ? 0 : step.tuning[0];
  require(dtype >= 0 && dtype <= static_cast<std::int64_t>(ir::DataType::boolean), "the operands have no such type");
  state.dtype = static_cast<ir::DataType>(dtype);
  state.nest = make_nest<3>({broadcast_operand(step, 0), broadcast_operand(step, 1), layout_of(step.result)});
  return team_kernel(run_binary, std::make_shared<const BinaryState>(state));
}

runtime::Executable prepare_where(const runtime::Step& step, int) {
  require_sound(step);
  op_as<ir::Where>(step);
  const WhereState state{make_nest<4>(
      {broadcast_operand(step, 0), broadcast_operand(step, 1), broadcast_operand(step, 2), layout_of(step.result)})};
  return team_kernel(run_where, std::make_shared<const WhereState>(state));
}

}  // namespace deeper::backend::native
#endif
