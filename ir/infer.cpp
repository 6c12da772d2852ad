// Result types: one overload per op, each a check of its operands and a formula.
#include "ir/infer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "ir/error.h"

namespace deeper::ir {
namespace {

template <typename... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw ModelError(fmt::format(text, std::forward<Args>(args)...));
}

// The operands of the node being inferred.
class Operands {
 public:
  Operands(const Graph& graph, std::span<const ValueId> ids) : graph_(graph), ids_(ids) {}

  bool has(std::size_t i) const { return i < ids_.size() && ids_[i].valid(); }
  std::size_t size() const { return ids_.size(); }
  const Type& operator[](std::size_t i) const {
    require(has(i), "operand {} is missing", i);
    return graph_.type(ids_[i]);
  }
  void count(std::size_t least, std::size_t most) const {
    require(ids_.size() >= least && ids_.size() <= most, "takes {} to {} operands, has {}", least, most, ids_.size());
  }

 private:
  const Graph& graph_;
  std::span<const ValueId> ids_;
};

void require_f32(const Type& type, std::string_view what) {
  require(type.dtype == DataType::f32, "{} must be floating point, is {}", what, to_string(type));
}

void require_rank(const Type& type, std::size_t rank, std::string_view what) {
  require(type.shape.size() == rank, "{} must have rank {}, is {}", what, rank, to_string(type));
}

void require_vector(const Type& type, std::int64_t extent, std::string_view what) {
  require(type == Type{DataType::f32, {extent}}, "{} must be f32[{}], is {}", what, extent, to_string(type));
}

void require_axis(std::int64_t axis, const Type& type) {
  require(axis >= 0 && axis < static_cast<std::int64_t>(type.shape.size()), "axis {} is outside {}", axis,
          to_string(type));
}

void require_length(std::size_t length, const Type& type, std::string_view what) {
  require(length == type.shape.size(), "{} has {} entries for {}", what, length, to_string(type));
}

Shape broadcast_or_throw(const Shape& a, const Shape& b) {
  std::optional<Shape> shape = broadcast(a, b);
  require(shape.has_value(), "shapes [{}] and [{}] do not broadcast", fmt::join(a, ","), fmt::join(b, ","));
  return *shape;
}

// Extents of an image after a window.
std::array<std::int64_t, 2> window_image(const Type& x, Extent2 kernel, Extent2 strides, Extent2 dilations,
                                         const Pads& pads, bool ceil_mode) {
  std::array<std::int64_t, 2> result{};
  for (std::size_t i = 0; i < 2; ++i) {
    require(pads[i] >= 0 && pads[i + 2] >= 0, "pads [{}] are negative", fmt::join(pads, ","));
    const auto extent =
        window_extent(x.shape[2 + i], kernel[i], strides[i], dilations[i], pads[i], pads[i + 2], ceil_mode);
    require(extent.has_value(), "a {}x{} window with strides [{}], dilations [{}], pads [{}] does not fit {}",
            kernel[0], kernel[1], fmt::join(strides, ","), fmt::join(dilations, ","), fmt::join(pads, ","),
            to_string(x));
    result[i] = *extent;
  }
  return result;
}

Type infer_op(const Identity&, const Operands& in) {
  in.count(1, 1);
  return in[0];
}

Type infer_op(const Conv& op, const Operands& in) {
  in.count(2, 4);
  require_f32(in[0], "the input");
  require_f32(in[1], "the weights");
  require_rank(in[0], 4, "the input");
  require_rank(in[1], 4, "the weights");
  const Shape& w = in[1].shape;
  require(op.groups >= 1 && w[0] % op.groups == 0, "{} groups do not divide {} output channels", op.groups, w[0]);
  require(w[1] <= in[0].shape[1] && in[0].shape[1] == w[1] * op.groups, "weights {} with {} groups do not fit input {}",
          to_string(in[1]), op.groups, to_string(in[0]));
  const auto image = window_image(in[0], {w[2], w[3]}, op.strides, op.dilations, op.pads, false);
  Type result{DataType::f32, {in[0].shape[0], w[0], image[0], image[1]}};
  if (in.has(2)) require_vector(in[2], w[0], "the bias");
  if (in.has(3)) require(in[3] == result, "the residual is {}, the result {}", to_string(in[3]), to_string(result));
  return result;
}

Type infer_op(const MatMul& op, const Operands& in) {
  in.count(2, 3);
  require_f32(in[0], "the first operand");
  require_f32(in[1], "the second operand");
  const Shape& a = in[0].shape;
  const Shape& b = in[1].shape;
  require(a.size() >= 2 && b.size() >= 2, "operands must have rank 2 or more, are {} and {}", to_string(in[0]),
          to_string(in[1]));
  const std::int64_t k = b[b.size() - (op.transpose_b ? 1 : 2)];
  const std::int64_t n = b[b.size() - (op.transpose_b ? 2 : 1)];
  require(a.back() == k, "inner extents of {} and {} differ", to_string(in[0]), to_string(in[1]));
  Shape shape = broadcast_or_throw(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  shape.push_back(a[a.size() - 2]);
  shape.push_back(n);
  if (in.has(2)) require_vector(in[2], n, "the bias");
  return {DataType::f32, std::move(shape)};
}

Type infer_op(const BatchNorm&, const Operands& in) {
  in.count(5, 5);
  require_f32(in[0], "the input");
  require(in[0].shape.size() >= 2, "the input must have rank 2 or more, is {}", to_string(in[0]));
  for (std::size_t i = 1; i < 5; ++i) require_vector(in[i], in[0].shape[1], "a statistic");
  return in[0];
}

Type infer_op(const Unary& op, const Operands& in) {
  in.count(1, 1);
  const bool logical = op.function.function == Function::logical_not;
  require((in[0].dtype == DataType::boolean) == logical, "the function does not take {}", to_string(in[0]));
  return in[0];
}

Type infer_op(const Binary& op, const Operands& in) {
  in.count(2, 2);
  require(in[0].dtype == in[1].dtype || (op.function == BinaryFunction::pow), "operands are {} and {}",
          to_string(in[0]), to_string(in[1]));
  const bool logical = op.function >= BinaryFunction::logical_and;
  require(!logical || in[0].dtype == DataType::boolean, "logic takes bool, not {}", to_string(in[0]));
  Shape shape = broadcast_or_throw(in[0].shape, in[1].shape);
  if (op.function == BinaryFunction::prelu) require(shape == in[0].shape, "the slope does not broadcast to the input");
  return {op.function >= BinaryFunction::equal ? DataType::boolean : in[0].dtype, std::move(shape)};
}

Type infer_op(const Pool& op, const Operands& in) {
  in.count(1, 2);
  require_f32(in[0], "the input");
  require_rank(in[0], 4, "the input");
  const auto image = window_image(in[0], op.kernel, op.strides, op.dilations, op.pads, op.ceil_mode);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = (op.kernel[i] - 1) * op.dilations[i] + 1;
    require(op.pads[i] < reach && op.pads[i + 2] < reach, "pads [{}] hide a whole {}x{} window",
            fmt::join(op.pads, ","), op.kernel[0], op.kernel[1]);
  }
  if (in.has(1)) require_vector(in[1], in[0].shape[1], "the bias");
  return {DataType::f32, {in[0].shape[0], in[0].shape[1], image[0], image[1]}};
}

Type infer_op(const Reduce& op, const Operands& in) {
  in.count(1, 1);
  Shape shape;
  for (std::size_t i = 0; i < op.axes.size(); ++i) {
    require_axis(op.axes[i], in[0]);
    require(i == 0 || op.axes[i] > op.axes[i - 1], "axes [{}] are not ascending", fmt::join(op.axes, ","));
  }
  for (std::size_t i = 0; i < in[0].shape.size(); ++i) {
    if (std::ranges::find(op.axes, static_cast<std::int64_t>(i)) == op.axes.end()) {
      shape.push_back(in[0].shape[i]);
    } else if (op.keepdims) {
      shape.push_back(1);
    }
  }
  return {in[0].dtype, std::move(shape)};
}

Type infer_op(const Lrn& op, const Operands& in) {
  in.count(1, 1);
  require_f32(in[0], "the input");
  require(in[0].shape.size() >= 2 && op.size >= 1, "size {} on {}", op.size, to_string(in[0]));
  return in[0];
}

Type infer_op(const Concat& op, const Operands& in) {
  require(in.size() >= 1, "has no operands");
  Type result = in[0];
  require_axis(op.axis, result);
  const auto axis = static_cast<std::size_t>(op.axis);
  for (std::size_t i = 1; i < in.size(); ++i) {
    Type expected = in[i];
    require(expected.shape.size() == result.shape.size(), "operands are {} and {}", to_string(in[0]), to_string(in[i]));
    expected.shape[axis] = result.shape[axis];
    require(expected == result, "operands are {} and {}", to_string(in[0]), to_string(in[i]));
    require(!__builtin_add_overflow(result.shape[axis], in[i].shape[axis], &result.shape[axis]),
            "the extent of axis {} overflows", axis);
  }
  return result;
}

Type infer_op(const Slice& op, const Operands& in) {
  in.count(1, 1);
  require_length(op.starts.size(), in[0], "starts");
  require_length(op.steps.size(), in[0], "steps");
  require_length(op.shape.size(), in[0], "shape");
  for (std::size_t i = 0; i < op.shape.size(); ++i) {
    if (op.shape[i] == 0) continue;
    std::int64_t last = 0;
    const bool overflows = __builtin_mul_overflow(op.shape[i] - 1, op.steps[i], &last) ||
                           __builtin_add_overflow(op.starts[i], last, &last);
    const std::int64_t extent = in[0].shape[i];
    require(!overflows && op.shape[i] > 0 && op.steps[i] != 0 && op.starts[i] >= 0 && op.starts[i] < extent &&
                last >= 0 && last < extent,
            "elements {} to {} of axis {} are outside {}", op.starts[i], last, i, to_string(in[0]));
  }
  return {in[0].dtype, op.shape};
}

Type infer_op(const Reshape& op, const Operands& in) {
  in.count(1, 1);
  require(element_count(op.shape) == element_count(in[0].shape), "{} cannot become [{}]", to_string(in[0]),
          fmt::join(op.shape, ","));
  return {in[0].dtype, op.shape};
}

Type infer_op(const Transpose& op, const Operands& in) {
  in.count(1, 1);
  require_length(op.perm.size(), in[0], "perm");
  Shape shape;
  std::vector<bool> seen(op.perm.size(), false);
  for (const std::int64_t axis : op.perm) {
    require_axis(axis, in[0]);
    require(!seen[static_cast<std::size_t>(axis)], "perm [{}] repeats an axis", fmt::join(op.perm, ","));
    seen[static_cast<std::size_t>(axis)] = true;
    shape.push_back(in[0].shape[static_cast<std::size_t>(axis)]);
  }
  return {in[0].dtype, std::move(shape)};
}

Type infer_op(const Pad& op, const Operands& in) {
  in.count(1, 1);
  require_length(op.begins.size(), in[0], "begins");
  require_length(op.ends.size(), in[0], "ends");
  Type result = in[0];
  for (std::size_t i = 0; i < result.shape.size(); ++i) {
    const std::int64_t extent = in[0].shape[i];
    const bool mirrored_too_far = op.mode == PadMode::reflect && (op.begins[i] >= extent || op.ends[i] >= extent) &&
                                  (op.begins[i] > 0 || op.ends[i] > 0);
    require(!mirrored_too_far, "reflects {} and {} elements of {}", op.begins[i], op.ends[i], extent);
    for (const std::int64_t amount : {op.begins[i], op.ends[i]}) {
      require(amount < (std::int64_t{1} << 40) && amount > -(std::int64_t{1} << 40), "a pad of {} is too large",
              amount);
    }
    result.shape[i] += op.begins[i] + op.ends[i];
    require(op.mode != PadMode::edge || extent > 0, "repeats the edge of an empty axis");
    require(result.shape[i] >= 0, "crops {} of {} elements", -(op.begins[i] + op.ends[i]), extent);
  }
  return result;
}

Type infer_op(const Softmax& op, const Operands& in) {
  in.count(1, 1);
  require_f32(in[0], "the input");
  require_axis(op.axis, in[0]);
  return in[0];
}

Type infer_op(const Resize& op, const Operands& in) {
  in.count(1, 1);
  require_length(op.shape.size(), in[0], "shape");
  require_length(op.scales.size(), in[0], "scales");
  for (const float scale : op.scales) require(scale > 0, "scale {} is not positive", scale);
  return {in[0].dtype, op.shape};
}

Type infer_op(const Gather& op, const Operands& in) {
  in.count(2, 2);
  require_axis(op.axis, in[0]);
  require(in[1].dtype != DataType::f32, "indices are {}", to_string(in[1]));
  const auto axis = in[0].shape.begin() + op.axis;
  Shape shape(in[0].shape.begin(), axis);
  shape.insert(shape.end(), in[1].shape.begin(), in[1].shape.end());
  shape.insert(shape.end(), axis + 1, in[0].shape.end());
  return {in[0].dtype, std::move(shape)};
}

Type infer_op(const Where&, const Operands& in) {
  in.count(3, 3);
  require(in[0].dtype == DataType::boolean, "the condition is {}", to_string(in[0]));
  require(in[1].dtype == in[2].dtype, "the choices are {} and {}", to_string(in[1]), to_string(in[2]));
  return {in[1].dtype, broadcast_or_throw(broadcast_or_throw(in[1].shape, in[2].shape), in[0].shape)};
}

Type infer_op(const Expand& op, const Operands& in) {
  in.count(1, 1);
  require(broadcast(in[0].shape, op.shape) == op.shape, "{} does not expand to [{}]", to_string(in[0]),
          fmt::join(op.shape, ","));
  return {in[0].dtype, op.shape};
}

Type infer_op(const Cast& op, const Operands& in) {
  in.count(1, 1);
  return {op.to, in[0].shape};
}

}  // namespace

std::optional<std::int64_t> window_extent(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                                          std::int64_t dilation, std::int64_t pad_begin, std::int64_t pad_end,
                                          bool ceil_mode) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  for (const std::int64_t n : {input, kernel, stride, dilation}) {
    if (n < 1 || n > kMost) return std::nullopt;
  }
  if (pad_begin > kMost || pad_end > kMost || kernel * dilation > kMost) return std::nullopt;
  const std::int64_t room = input + pad_begin + pad_end - ((kernel - 1) * dilation + 1);
  if (room < 0) return std::nullopt;
  std::int64_t extent = (ceil_mode ? room + stride - 1 : room) / stride + 1;
  if (ceil_mode && (extent - 1) * stride >= input + pad_begin) --extent;
  return extent;
}

Type infer(const Op& op, const Graph& graph, std::span<const ValueId> inputs) {
  const Operands operands(graph, inputs);
  return std::visit([&](const auto& o) { return infer_op(o, operands); }, op);
}

}  // namespace deeper::ir
