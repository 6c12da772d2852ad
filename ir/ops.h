#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "ir/type.h"

// THE op table. One plain struct per operator: attributes only, all defaulted, compared field by field. kName is the
// name in text; fields() lists every attribute once and drives print, parse, hash and common subexpressions. Operands
// are not here: each comment gives them in order, "[x]" marks one that may be absent (an invalid ValueId, or left out
// at the end). Every op has exactly one result. Images are NCHW; windows are {height, width}; pads are
// {top, left, bottom, right}, counted in elements.
namespace deeper::ir {

// An attribute: its name in text and where it is.
template <typename Struct, typename T>
struct Field {
  std::string_view name;
  T Struct::*member;
};
template <typename Struct, typename T>
Field(const char*, T Struct::*) -> Field<Struct, T>;

using Extent2 = std::array<std::int64_t, 2>;
using Pads = std::array<std::int64_t, 4>;

// Scalar functions of one argument. alpha and beta are: leaky_relu slope alpha; clip [alpha, beta];
// hard_sigmoid max(0, min(1, alpha x + beta)). round is half to even.
enum class Function : std::uint8_t {
  identity,
  relu,
  leaky_relu,
  clip,
  sigmoid,
  tanh,
  hard_sigmoid,
  abs,
  neg,
  sqrt,
  exp,
  log,
  reciprocal,
  floor,
  ceil,
  round,
  sign,
  logical_not
};

// A function with its parameters; as an attribute of Conv, MatMul and Pool the function applied to the result.
struct Activation {
  Function function = Function::identity;
  float alpha = 0;
  float beta = 0;
  bool operator==(const Activation&) const = default;
};

// div of integer types truncates towards zero. prelu is x < 0 ? x * y : x. mod of integer types has the sign of the
// divisor, of f32 that of the dividend (C's fmod). Integer results wrap to their width. Comparisons give bool.
enum class BinaryFunction : std::uint8_t {
  add,
  sub,
  mul,
  div,
  pow,
  max,
  min,
  prelu,
  mod,
  equal,
  less,
  less_equal,
  greater,
  greater_equal,
  logical_and,
  logical_or
};
enum class PoolKind : std::uint8_t { max, average };
enum class ReduceKind : std::uint8_t { sum, mean, max, min, prod };
enum class PadMode : std::uint8_t { constant, reflect, edge };
enum class ResizeMode : std::uint8_t { nearest, linear };
enum class Coordinates : std::uint8_t {
  half_pixel,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  half_pixel_symmetric
};
enum class NearestRounding : std::uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };

// x
struct Identity {
  static constexpr std::string_view kName = "Identity";
  bool operator==(const Identity&) const = default;
  static constexpr auto fields() { return std::tuple{}; }
};

// activation(conv(x, weights) + bias + residual).
// x [N,C,H,W], weights [M,C/groups,kh,kw], [bias [M]], [residual of the result's shape]
struct Conv {
  static constexpr std::string_view kName = "Conv";
  Extent2 strides{1, 1};
  Extent2 dilations{1, 1};
  Pads pads{0, 0, 0, 0};
  std::int64_t groups = 1;
  Activation activation{};
  bool operator==(const Conv&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"strides", &Conv::strides}, Field{"dilations", &Conv::dilations},
                      Field{"pads", &Conv::pads}, Field{"groups", &Conv::groups},
                      Field{"activation", &Conv::activation}};
  }
};

// activation(a b + bias), batch dimensions broadcast as numpy.matmul does.
// a [...,M,K], b [...,K,N] or with transpose_b [...,N,K], [bias [N]]
struct MatMul {
  static constexpr std::string_view kName = "MatMul";
  bool transpose_b = false;
  Activation activation{};
  bool operator==(const MatMul&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"transpose_b", &MatMul::transpose_b}, Field{"activation", &MatMul::activation}};
  }
};

// scale (x - mean) / sqrt(variance + epsilon) + bias, along axis 1.
// x [N,C,...], scale [C], bias [C], mean [C], variance [C]
struct BatchNorm {
  static constexpr std::string_view kName = "BatchNorm";
  float epsilon = 1e-5F;
  bool operator==(const BatchNorm&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"epsilon", &BatchNorm::epsilon}}; }
};

// x
struct Unary {
  static constexpr std::string_view kName = "Unary";
  Activation function{};
  bool operator==(const Unary&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"function", &Unary::function}}; }
};

// x, y; numpy broadcasting
struct Binary {
  static constexpr std::string_view kName = "Binary";
  BinaryFunction function = BinaryFunction::add;
  bool operator==(const Binary&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"function", &Binary::function}}; }
};

// activation(pool(x) + bias). ceil_mode rounds the extents up, but a window that would start beyond the input and its
// leading pad is left out (ONNX opset 22). Padding never wins a maximum; count_include_pad counts declared padding in
// an average, never the cells that ceil_mode adds.
// x [N,C,H,W], [bias [C]]
struct Pool {
  static constexpr std::string_view kName = "Pool";
  PoolKind kind = PoolKind::max;
  Extent2 kernel{1, 1};
  Extent2 strides{1, 1};
  Extent2 dilations{1, 1};
  Pads pads{0, 0, 0, 0};
  bool ceil_mode = false;
  bool count_include_pad = false;
  Activation activation{};
  bool operator==(const Pool&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"kind", &Pool::kind},
                      Field{"kernel", &Pool::kernel},
                      Field{"strides", &Pool::strides},
                      Field{"dilations", &Pool::dilations},
                      Field{"pads", &Pool::pads},
                      Field{"ceil_mode", &Pool::ceil_mode},
                      Field{"count_include_pad", &Pool::count_include_pad},
                      Field{"activation", &Pool::activation}};
  }
};

// x; axes are non-negative, ascending and distinct (an empty list reduces nothing)
struct Reduce {
  static constexpr std::string_view kName = "Reduce";
  ReduceKind kind = ReduceKind::mean;
  std::vector<std::int64_t> axes{};
  bool keepdims = true;
  bool operator==(const Reduce&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"kind", &Reduce::kind}, Field{"axes", &Reduce::axes}, Field{"keepdims", &Reduce::keepdims}};
  }
};

// x / (bias + alpha / size * sum of squares over the channels [c - (size-1)/2, c + size/2])^beta. x [N,C,...]
struct Lrn {
  static constexpr std::string_view kName = "Lrn";
  std::int64_t size = 5;
  float alpha = 1e-4F;
  float beta = 0.75F;
  float bias = 1.0F;
  bool operator==(const Lrn&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"size", &Lrn::size}, Field{"alpha", &Lrn::alpha}, Field{"beta", &Lrn::beta},
                      Field{"bias", &Lrn::bias}};
  }
};

// One operand or more, equal but for the extent on `axis`.
struct Concat {
  static constexpr std::string_view kName = "Concat";
  std::int64_t axis = 1;
  bool operator==(const Concat&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"axis", &Concat::axis}}; }
};

// x. Result element i along each axis is x[starts + i * steps]; a step may be negative. All have x's rank.
struct Slice {
  static constexpr std::string_view kName = "Slice";
  std::vector<std::int64_t> starts{};
  std::vector<std::int64_t> steps{};
  Shape shape{};
  bool operator==(const Slice&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"starts", &Slice::starts}, Field{"steps", &Slice::steps}, Field{"shape", &Slice::shape}};
  }
};

// x; row-major order kept
struct Reshape {
  static constexpr std::string_view kName = "Reshape";
  Shape shape{};
  bool operator==(const Reshape&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"shape", &Reshape::shape}}; }
};

// x; result axis i is axis perm[i] of x
struct Transpose {
  static constexpr std::string_view kName = "Transpose";
  std::vector<std::int64_t> perm{};
  bool operator==(const Transpose&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"perm", &Transpose::perm}}; }
};

// x; begins and ends have x's rank, a negative amount crops
struct Pad {
  static constexpr std::string_view kName = "Pad";
  PadMode mode = PadMode::constant;
  std::vector<std::int64_t> begins{};
  std::vector<std::int64_t> ends{};
  float value = 0;
  bool operator==(const Pad&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"mode", &Pad::mode}, Field{"begins", &Pad::begins}, Field{"ends", &Pad::ends},
                      Field{"value", &Pad::value}};
  }
};

// x; along one axis (ONNX 13 and later; earlier versions are imported with Reshapes around)
struct Softmax {
  static constexpr std::string_view kName = "Softmax";
  std::int64_t axis = 1;
  bool log = false;
  bool operator==(const Softmax&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"axis", &Softmax::axis}, Field{"log", &Softmax::log}}; }
};

// x. scales are what the coordinate formulas use, one per axis of x; shape is the result's.
struct Resize {
  static constexpr std::string_view kName = "Resize";
  ResizeMode mode = ResizeMode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  NearestRounding rounding = NearestRounding::round_prefer_floor;
  std::vector<float> scales{};
  Shape shape{};
  bool operator==(const Resize&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"mode", &Resize::mode}, Field{"coordinates", &Resize::coordinates},
                      Field{"rounding", &Resize::rounding}, Field{"scales", &Resize::scales},
                      Field{"shape", &Resize::shape}};
  }
};

// data, indices (an integer type; negative counts from the end)
struct Gather {
  static constexpr std::string_view kName = "Gather";
  std::int64_t axis = 0;
  bool operator==(const Gather&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"axis", &Gather::axis}}; }
};

// condition (bool), x, y; numpy broadcasting of all three
struct Where {
  static constexpr std::string_view kName = "Where";
  bool operator==(const Where&) const = default;
  static constexpr auto fields() { return std::tuple{}; }
};

// x, broadcast to exactly `shape`
struct Expand {
  static constexpr std::string_view kName = "Expand";
  Shape shape{};
  bool operator==(const Expand&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"shape", &Expand::shape}}; }
};

// x; float to integer truncates towards zero, then wraps as C++ conversions to the narrower type do; to bool is x != 0
struct Cast {
  static constexpr std::string_view kName = "Cast";
  DataType to = DataType::f32;
  bool operator==(const Cast&) const = default;
  static constexpr auto fields() { return std::tuple{Field{"to", &Cast::to}}; }
};

using Op = std::variant<Identity, Conv, MatMul, BatchNorm, Unary, Binary, Pool, Reduce, Lrn, Concat, Slice, Reshape,
                        Transpose, Pad, Softmax, Resize, Gather, Where, Expand, Cast>;

// "Conv", "Pool", ...
inline std::string_view op_name(const Op& op) {
  return std::visit([](const auto& o) { return o.kName; }, op);
}

}  // namespace deeper::ir
