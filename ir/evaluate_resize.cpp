// Resize, one axis after the other. Coordinates are always computed in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ir/evaluate_ops.h"

namespace deeper::ir::oracle {
namespace {

// One axis of a Resize: its scale, and how many elements go in and come out.
struct Axis {
  double scale;
  std::int64_t in, out;
};

// The coordinate in the operand of result position i (ONNX Resize, coordinate_transformation_mode).
double original(Coordinates coordinates, const Axis& axis, std::int64_t i) {
  const auto x = static_cast<double>(i);
  const auto in = static_cast<double>(axis.in);
  const double half_pixel = (x + 0.5) / axis.scale - 0.5;
  switch (coordinates) {
    case Coordinates::half_pixel:
      return half_pixel;
    case Coordinates::pytorch_half_pixel:
      return axis.out > 1 ? half_pixel : 0.0;
    case Coordinates::align_corners:
      return i == 0 ? 0.0 : x * (in - 1) / (in * axis.scale - 1);
    case Coordinates::asymmetric:
      return x / axis.scale;
    case Coordinates::half_pixel_symmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / (in * axis.scale)) + half_pixel;
  }
  return 0;
}

double round_nearest(NearestRounding rounding, double x) {
  switch (rounding) {
    case NearestRounding::round_prefer_floor:
      return std::ceil(x - 0.5);
    case NearestRounding::round_prefer_ceil:
      return std::floor(x + 0.5);
    case NearestRounding::floor:
      return std::floor(x);
    case NearestRounding::ceil:
      return std::ceil(x);
  }
  return 0;
}

// A result position is (1 - weight) * the element at `first` + weight * the element at `second`.
struct Tap {
  std::int64_t first, second;
  double weight;
};

Tap tap_at(const Resize& op, const Axis& axis, std::int64_t i) {
  const double at = original(op.coordinates, axis, i);
  const auto last = static_cast<double>(axis.in - 1);
  if (op.mode == ResizeMode::nearest) {
    const auto nearest = static_cast<std::int64_t>(std::clamp(round_nearest(op.rounding, at), 0.0, last));
    return {nearest, nearest, 0};
  }
  const double inside = std::clamp(at, 0.0, last);
  const auto first = static_cast<std::int64_t>(std::floor(inside));
  return {first, std::min(first + 1, axis.in - 1), inside - std::floor(inside)};
}

// data [outer, in, inner] to [outer, out, inner].
template <typename Real>
std::vector<Real> resize_axis(const Resize& op, const Axis& axis, std::int64_t inner, const std::vector<Real>& data) {
  const std::int64_t outer = static_cast<std::int64_t>(data.size()) / (axis.in * inner);
  std::vector<Real> result(static_cast<std::size_t>(outer * axis.out * inner));
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const Tap tap = tap_at(op, axis, i);
    const auto weight = static_cast<Real>(tap.weight);
    for (std::int64_t n = 0; n < outer; ++n) {
      const Real* const first = data.data() + (n * axis.in + tap.first) * inner;
      const Real* const second = data.data() + (n * axis.in + tap.second) * inner;
      Real* const out = result.data() + (n * axis.out + i) * inner;
      for (std::int64_t k = 0; k < inner; ++k) {
        out[k] = weight == 0 ? first[k] : (Real{1} - weight) * first[k] + weight * second[k];
      }
    }
  }
  return result;
}

}  // namespace

template <typename Real>
void compute(const Resize& op, const Call<Real>& call) {
  if (call.out.empty() || call.inputs[0].data.empty()) return;
  std::vector<Real> data(call.inputs[0].data.begin(), call.inputs[0].data.end());
  std::int64_t inner = 1;
  for (std::size_t i = op.shape.size(); i-- > 0; inner *= op.shape[i]) {
    const Axis axis{op.scales[i], call.shape(0)[i], op.shape[i]};
    if (axis.scale == 1.0 && axis.in == axis.out) continue;
    data = resize_axis(op, axis, inner, data);
  }
  std::ranges::transform(data, call.out.begin(),
                         [&](Real x) { return static_cast<Real>(as_type(static_cast<double>(x), call.type.dtype)); });
}

template void compute(const Resize&, const Call<double>&);
template void compute(const Resize&, const Call<float>&);

}  // namespace deeper::ir::oracle
