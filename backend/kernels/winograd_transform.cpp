#include "backend/kernels/winograd_transform.h"

#include <array>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/winograd_transform.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/kernels/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Terms of a sum: all, or of a pair's first point those that both points share (`leading`, among them that of the last
// input, whose coefficient is 1), or the others, divided by the point.
enum class Terms { all, leading, others };

// A row of the table at compile time. The points come as pairs +-p first; those share their halves.
template <int kRow>
struct Row {
  static constexpr Transform kTransform = make_transform(kCookToom[kRow]);
  static constexpr int kPoints = kTransform.points;
  static constexpr int kOutputs = kTransform.outputs;

  static constexpr int count_pairs() {
    const auto& points = kCookToom[kRow].finite_points;
    int pairs = 0;
    while (2 * pairs + 1 < kPoints - 1 && !points[2 * pairs].is_zero() && points[2 * pairs] == -points[2 * pairs + 1]) {
      ++pairs;
    }
    return pairs;
  }
  static constexpr int kPairs = count_pairs();

  // Halves of a pair's inputs: with the points +-p, B^T's rows are (x +- p) times a polynomial in x^2 or x times one.
  static constexpr bool is_leading(int point, int j) {
    int last = kPoints - 1;
    while (kTransform.input[point][last] == 0) --last;
    return (last - j) % 2 == 0;
  }
  static constexpr double point(int index) { return kCookToom[kRow].finite_points[index].value(); }

  static constexpr double input(int index, int j, Terms terms) {
    if (terms == Terms::all) return kTransform.input[index][j];
    if (is_leading(index, j) != (terms == Terms::leading)) return 0;
    return kTransform.input[index][j] / (terms == Terms::others ? point(index) : 1);
  }

  // After a pair's points are replaced by their sum and difference, even outputs see the sum, odd ones the difference.
  static constexpr double output(int i, int point) {
    if (point < 2 * kPairs) return point % 2 == i % 2 ? kTransform.output[i][point - point % 2] : 0;
    return kTransform.output[i][point];
  }
};

template <typename D, typename V>
V first_term(D d, double coefficient, V value) {
  if (coefficient == 1) return value;
  if (coefficient == -1) return hn::Neg(value);
  return hn::Mul(value, hn::Set(d, static_cast<float>(coefficient)));
}

template <typename D, typename V>
V next_term(D d, double coefficient, V value, V sum) {
  if (coefficient == 1) return hn::Add(sum, value);
  if (coefficient == -1) return hn::Sub(sum, value);
  return hn::MulAdd(value, hn::Set(d, static_cast<float>(coefficient)), sum);
}

// Sum of the terms from j down, `sum` holding those before where kStarted.
template <int kRow, int kPoint, Terms kTerms, int j, bool kStarted, typename D, typename V>
HWY_INLINE V input_sum(D d, const V* in, V sum) {
  if constexpr (j < 0) {
    return sum;
  } else {
    constexpr double kCoefficient = Row<kRow>::input(kPoint, j, kTerms);
    if constexpr (kCoefficient == 0) {
      return input_sum<kRow, kPoint, kTerms, j - 1, kStarted>(d, in, sum);
    } else if constexpr (kStarted) {
      return input_sum<kRow, kPoint, kTerms, j - 1, true>(d, in, next_term(d, kCoefficient, in[j], sum));
    } else {
      return input_sum<kRow, kPoint, kTerms, j - 1, true>(d, in, first_term(d, kCoefficient, in[j]));
    }
  }
}

template <int kRow, int kOutput, int point, bool kStarted, typename D, typename V>
HWY_INLINE V output_sum(D d, const V* in, V sum) {
  if constexpr (point < 0) {
    return sum;
  } else {
    constexpr double kCoefficient = Row<kRow>::output(kOutput, point);
    if constexpr (kCoefficient == 0) {
      return output_sum<kRow, kOutput, point - 1, kStarted>(d, in, sum);
    } else if constexpr (kStarted) {
      return output_sum<kRow, kOutput, point - 1, true>(d, in, next_term(d, kCoefficient, in[point], sum));
    } else {
      return output_sum<kRow, kOutput, point - 1, true>(d, in, first_term(d, kCoefficient, in[point]));
    }
  }
}

template <int kRow, int kPair, typename D, typename V>
HWY_INLINE void input_pair(D d, const V* in, float* out, std::int64_t out_stride) {
  constexpr int kLast = Row<kRow>::kPoints - 1;
  const V zero = hn::Zero(d);
  const V leading = input_sum<kRow, 2 * kPair, Terms::leading, kLast, false>(d, in, zero);
  const V others = input_sum<kRow, 2 * kPair, Terms::others, kLast, false>(d, in, zero);
  const V point = hn::Set(d, static_cast<float>(Row<kRow>::point(2 * kPair)));
  hn::StoreU(hn::MulAdd(others, point, leading), d, out + 2 * kPair * out_stride);
  hn::StoreU(hn::NegMulAdd(others, point, leading), d, out + (2 * kPair + 1) * out_stride);
}

// point(j) is where the channels of the j-th point are.
template <int kRow, typename D, typename Point>
HWY_INLINE void input_vector(D d, const Point& point, std::int64_t c, float* out, std::int64_t out_stride) {
  using V = hn::Vec<D>;
  constexpr int kPoints = Row<kRow>::kPoints;
  constexpr int kPaired = 2 * Row<kRow>::kPairs;
  V values[kPoints];
  for (int j = 0; j < kPoints; ++j) values[j] = hn::LoadU(d, point(j) + c);
  [&]<int... kPair>(std::integer_sequence<int, kPair...>) {
    (input_pair<kRow, kPair>(d, values, out + c, out_stride), ...);
  }
  (std::make_integer_sequence<int, Row<kRow>::kPairs>());
  [&]<int... kRest>(std::integer_sequence<int, kRest...>) {
    (hn::StoreU(input_sum<kRow, kPaired + kRest, Terms::all, kPoints - 1, false>(d, values, hn::Zero(d)), d,
                out + c + (kPaired + kRest) * out_stride),
     ...);
  }
  (std::make_integer_sequence<int, kPoints - kPaired>());
}

// Loads the points and replaces those of a pair by their sum and difference.
template <int kRow, typename D, typename V>
HWY_INLINE void load_points(D d, const float* in, std::int64_t in_stride, V* values) {
  constexpr int kPoints = Row<kRow>::kPoints;
  for (int p = 0; p < kPoints; ++p) values[p] = hn::LoadU(d, in + p * in_stride);
  for (int p = 0; p < 2 * Row<kRow>::kPairs; p += 2) {
    const V sum = hn::Add(values[p], values[p + 1]);
    values[p + 1] = hn::Sub(values[p], values[p + 1]);
    values[p] = sum;
  }
}

// Calls take(i, value) for each output; where kStarted, `start` is added to each.
template <int kRow, bool kStarted, typename D, typename Take>
HWY_INLINE void outputs(D d, const float* in, std::int64_t in_stride, hn::Vec<D> start, const Take& take) {
  using V = hn::Vec<D>;
  constexpr int kPoints = Row<kRow>::kPoints;
  V values[kPoints];
  load_points<kRow>(d, in, in_stride, values);
  [&]<int... kOutput>(std::integer_sequence<int, kOutput...>) {
    (take(kOutput, output_sum<kRow, kOutput, kPoints - 1, kStarted>(d, static_cast<const V*>(values), start)), ...);
  }
  (std::make_integer_sequence<int, Row<kRow>::kOutputs>());
}

// body(d, c) for every vector of channels: whole ones, then of eight, then single channels.
template <typename Body>
HWY_INLINE void for_channels(std::int64_t channels, const Body& body) {
  const hn::ScalableTag<float> whole;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(whole));
  const auto few = static_cast<std::int64_t>(hn::Lanes(eight));
  std::int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) body(whole, c);
  if (few < lanes) {
    for (; c + few <= channels; c += few) body(eight, c);
  }
  for (; c < channels; ++c) body(one, c);
}

// The input transform of lines of which points lie outside the image.
template <int kRow>
HWY_NOINLINE void input_at_edge(const Inputs& in, Lines lines, float* out, Pitch out_pitch) {
  constexpr int kPoints = Row<kRow>::kPoints;
  for (std::int64_t line = 0; line < lines.count; ++line, out += out_pitch.line) {
    const Range inside = in.lines[line] != nullptr ? in.points : Range{0, 0};
    const float* points[kPoints];
    for (int j = 0; j < kPoints; ++j) {
      points[j] = j >= inside.first && j < inside.last ? in.lines[line] + in.offset + j * in.point : in.zeros;
    }
    for_channels(
        lines.channels, [&](auto d, std::int64_t c) __attribute__((always_inline)) {
          input_vector<kRow>(
              d, [&](int j) __attribute__((always_inline)) { return points[j]; }, c, out, out_pitch.point);
        });
  }
}

template <int kRow>
void input(const Inputs& in, Lines lines, float* out, Pitch out_pitch) {
  if (in.points != Range{0, Row<kRow>::kPoints}) return input_at_edge<kRow>(in, lines, out, out_pitch);
  for (std::int64_t line = 0; line < lines.count; ++line, out += out_pitch.line) {
    if (in.lines[line] == nullptr) {
      Inputs outside = in;
      outside.lines += line;
      input_at_edge<kRow>(outside, {.channels = lines.channels}, out, out_pitch);
      continue;
    }
    const float* first = in.lines[line] + in.offset;
    for_channels(
        lines.channels, [&](auto d, std::int64_t c) __attribute__((always_inline)) {
          input_vector<kRow>(
              d, [&](int j) __attribute__((always_inline)) { return first + j * in.point; }, c, out, out_pitch.point);
        });
  }
}

template <int kRow>
void output(const float* in, Pitch in_pitch, Lines lines, float* out, Pitch out_pitch) {
  for (std::int64_t line = 0; line < lines.count; ++line, in += in_pitch.line, out += out_pitch.line) {
    for_channels(
        lines.channels, [&](auto d, std::int64_t c) __attribute__((always_inline)) {
          outputs<kRow, false>(
              d, in + c, in_pitch.point, hn::Zero(d), [&](int i, auto value) __attribute__((always_inline)) {
                hn::StoreU(value, d, out + i * out_pitch.point + c);
              });
        });
  }
}

// The epilogue as a copy: stores could change one that is referred to.
template <int kRow, bool kIsRelu>
void finish_lines(const float* in, Pitch in_pitch, Lines lines, Outputs out, const float* bias, Epilogue epilogue) {
  constexpr int kOutputs = Row<kRow>::kOutputs;
  for (std::int64_t line = 0; line < lines.count; ++line, in += in_pitch.line, out.at += out.pitch.line) {
    float* results[kOutputs];
    const float* addends[kOutputs];
    for (int i = 0; i < kOutputs; ++i) {
      results[i] = i < out.count ? out.at + i * out.pitch.point : out.discarded;
      if (kIsRelu) continue;
      addends[i] =
          i < out.count ? out.residual + line * out.residual_pitch.line + i * out.residual_pitch.point : out.discarded;
    }
    for_channels(
        lines.channels, [&](auto d, std::int64_t c) __attribute__((always_inline)) {
          outputs<kRow, true>(
              d, in + c, in_pitch.point, hn::LoadU(d, bias + c), [&](int i, auto sum) __attribute__((always_inline)) {
                if (kIsRelu) {
                  sum = hn::Max(hn::Set(d, epilogue.low), sum);
                } else {
                  if (out.residual != nullptr) sum = hn::Add(sum, hn::LoadU(d, addends[i] + c));
                  sum = activated(d, sum, epilogue);
                }
                hn::StoreU(sum, d, results[i] + c);
              });
        });
  }
}

template <int kRow>
void finish(const float* in, Pitch in_pitch, Lines lines, const Outputs& out, const float* bias,
            const Epilogue& epilogue) {
  const bool is_relu = out.residual == nullptr && is_floor(epilogue);
  (is_relu ? finish_lines<kRow, true> : finish_lines<kRow, false>)(in, in_pitch, lines, out, bias, epilogue);
}

template <int... kRow>
constexpr std::array<AxisTransform, sizeof...(kRow)> make_table(std::integer_sequence<int, kRow...>) {
  return {AxisTransform{.input = input<kRow>, .output = output<kRow>, .finish = finish<kRow>}...};
}

std::span<const AxisTransform> table() {
  static constexpr auto kTable = make_table(std::make_integer_sequence<int, kCookToomCount>());
  return kTable;
}

}  // namespace deeper::backend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend {

std::span<const AxisTransform> axis_transforms(Isa isa) {
  switch (isa) {
    case Isa::amx:
    case Isa::avx512:
      return N_AVX3::table();
    case Isa::avx2:
      return N_AVX2::table();
    case Isa::sse41:
      break;
  }
  return HWY_STATIC_DISPATCH(table)();
}

}  // namespace deeper::backend
#endif
