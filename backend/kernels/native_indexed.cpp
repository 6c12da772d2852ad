// Ops whose result reads at most two positions of the operand along every axis: Pad, Resize. Tables hold the positions;
// rows of an axis that is only copied are loops over contiguous elements.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "backend/kernels/native_common.h"

namespace deeper::backend::native {
namespace {

constexpr std::int64_t kPadding = -1;

// A result position along one axis: (1 - weight) * the element at offset `first` + weight * the one at `second`.
struct Tap {
  std::int64_t first = 0;  // in elements; kPadding: the pad value
  std::int64_t second = 0;
  float weight = 0;
};

struct Axis {
  std::vector<Tap> taps;
  std::int64_t y_stride = 0;
};

struct IndexedState {
  std::vector<Axis> outer;  // outermost first
  // The innermost axis where it is copied as it is, else one of extent 1.
  std::int64_t row = 1;
  std::int64_t x_step = 1;
  std::int64_t y_step = 1;
  std::int64_t rows = 1;
  float padding = 0;
};

// A term of a result row: weight * the row at offset.
struct Term {
  std::int64_t offset = 0;
  float weight = 1;
};

// At most two per axis that interpolates.
class Terms {
 public:
  void start() {
    count_ = 1;
    terms_[0] = {};
  }
  bool is_padding() const { return count_ == 0; }
  void pad() { count_ = 0; }
  void add(const Tap& tap) {
    const std::size_t before = count_;
    for (std::size_t i = 0; i < before; ++i) {
      if (tap.weight != 0) {
        terms_[count_++] = {terms_[i].offset + tap.second, terms_[i].weight * tap.weight};
        terms_[i].weight *= 1 - tap.weight;
      }
      terms_[i].offset += tap.first;
    }
  }
  std::span<const Term> all() const { return {terms_.data(), count_}; }

 private:
  std::array<Term, 1U << static_cast<unsigned>(kMaxRank)> terms_{};
  std::size_t count_ = 0;
};

void write_row(const IndexedState& state, const Terms& terms, const float* x, float* y) noexcept {
  const std::span<const Term> all = terms.all();
  if (terms.is_padding()) {
    for (std::int64_t i = 0; i < state.row; ++i) y[i * state.y_step] = state.padding;
  } else if (all.size() == 1 && state.x_step == 1 && state.y_step == 1) {
    std::memcpy(y, x + all[0].offset, static_cast<std::size_t>(state.row) * sizeof(float));
  } else if (all.size() == 1) {
    const float* from = x + all[0].offset;
    for (std::int64_t i = 0; i < state.row; ++i) y[i * state.y_step] = from[i * state.x_step];
  } else {
    for (std::size_t t = 0; t < all.size(); ++t) {
      const float* from = x + all[t].offset;
      const float weight = all[t].weight;
      for (std::int64_t i = 0; i < state.row; ++i) {
        const float before = t == 0 ? 0 : y[i * state.y_step];
        y[i * state.y_step] = before + weight * from[i * state.x_step];
      }
    }
  }
}

void run_indexed(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const IndexedState& state = *static_cast<const IndexedState*>(opaque);
  const Range range = share(state.rows, std::max<std::int64_t>(1, 1024 / std::max<std::int64_t>(1, state.row)), team);
  Terms terms;
  for (std::int64_t row = range.begin; row < range.end; ++row) {
    std::int64_t rest = row;
    std::int64_t y_offset = 0;
    terms.start();
    for (std::size_t a = state.outer.size(); a-- > 0;) {
      const Axis& axis = state.outer[a];
      const auto extent = static_cast<std::int64_t>(axis.taps.size());
      const std::int64_t index = rest % extent;
      rest /= extent;
      y_offset += index * axis.y_stride;
      const Tap& tap = axis.taps[static_cast<std::size_t>(index)];
      if (tap.first == kPadding) terms.pad();
      if (!terms.is_padding()) terms.add(tap);
    }
    write_row(state, terms, input(addresses, 0), output(addresses, 1) + y_offset);
  }
}

// From one table of positions per axis.
std::shared_ptr<const IndexedState> make_state(std::vector<std::vector<Tap>> tables, const Layout& x, const Layout& y,
                                               float padding) {
  auto state = std::make_shared<IndexedState>();
  state->padding = padding;
  std::vector<std::size_t> axes(y.shape.size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  std::ranges::stable_sort(axes, std::ranges::greater{}, [&](std::size_t axis) { return y.strides[axis]; });
  for (const std::size_t axis : axes) {
    std::vector<Tap>& taps = tables[axis];
    const bool is_last = axis == axes.back();
    const auto copies = [&](std::size_t i) {
      return taps[i].weight == 0 && taps[i].first == static_cast<std::int64_t>(i);
    };
    bool copied = is_last;
    for (std::size_t i = 0; i < taps.size() && copied; ++i) copied = copies(i);
    if (copied) {
      state->row = y.shape[axis];
      state->x_step = x.strides[axis];
      state->y_step = y.strides[axis];
      continue;
    }
    for (Tap& tap : taps) {
      if (tap.first != kPadding) tap.first *= x.strides[axis];
      tap.second *= x.strides[axis];
    }
    state->rows *= y.shape[axis];
    state->outer.push_back({std::move(taps), y.strides[axis]});
  }
  return state;
}

// --- Pad ---

std::int64_t padded_from(ir::PadMode mode, std::int64_t at, std::int64_t extent) {
  if (at >= 0 && at < extent) return at;
  switch (mode) {
    case ir::PadMode::constant:
      return kPadding;
    case ir::PadMode::reflect:
      return at < 0 ? -at : 2 * (extent - 1) - at;
    case ir::PadMode::edge:
      return at < 0 ? 0 : extent - 1;
  }
  return kPadding;
}

// --- Resize (ONNX Resize, coordinate_transformation_mode and nearest_mode) ---

double original(ir::Coordinates coordinates, double scale, double in, double out, double x) {
  const double half_pixel = (x + 0.5) / scale - 0.5;
  switch (coordinates) {
    case ir::Coordinates::half_pixel:
      return half_pixel;
    case ir::Coordinates::pytorch_half_pixel:
      return out > 1 ? half_pixel : 0;
    case ir::Coordinates::align_corners:
      return x == 0 ? 0 : x * (in - 1) / (in * scale - 1);
    case ir::Coordinates::asymmetric:
      return x / scale;
    case ir::Coordinates::half_pixel_symmetric:
      return in / 2 * (1 - out / (in * scale)) + half_pixel;
  }
  return 0;
}

double round_nearest(ir::NearestRounding rounding, double x) {
  switch (rounding) {
    case ir::NearestRounding::round_prefer_floor:
      return std::ceil(x - 0.5);
    case ir::NearestRounding::round_prefer_ceil:
      return std::floor(x + 0.5);
    case ir::NearestRounding::floor:
      return std::floor(x);
    case ir::NearestRounding::ceil:
      return std::ceil(x);
  }
  return 0;
}

// A position between 0 and last; 0 for what is no number.
double inside(double x, double last) { return x > 0 ? std::min(x, last) : 0; }

Tap resize_tap(const ir::Resize& op, std::size_t axis, std::int64_t extent, std::int64_t i) {
  const double at = original(op.coordinates, op.scales[axis], static_cast<double>(extent),
                             static_cast<double>(op.shape[axis]), static_cast<double>(i));
  const auto last = static_cast<double>(extent - 1);
  if (op.mode == ir::ResizeMode::nearest) {
    const auto nearest = static_cast<std::int64_t>(inside(round_nearest(op.rounding, at), last));
    return {nearest, nearest, 0};
  }
  const double place = inside(at, last);
  const auto first = static_cast<std::int64_t>(std::floor(place));
  return {first, std::min(first + 1, extent - 1), static_cast<float>(place - std::floor(place))};
}

}  // namespace

runtime::Executable prepare_pad(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::Pad>(step);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  std::vector<std::vector<Tap>> tables(x.shape.size());
  for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
    for (std::int64_t i = 0; i < y.shape[axis]; ++i) {
      const std::int64_t from = padded_from(op.mode, i - op.begins[axis], x.shape[axis]);
      require(from < x.shape[axis] && from >= kPadding, "the padding reads outside the input");
      tables[axis].push_back({from, 0, 0});
    }
  }
  return team_kernel(run_indexed, make_state(std::move(tables), x, y, op.value));
}

runtime::Executable prepare_resize(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::Resize>(step);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  std::vector<std::vector<Tap>> tables(x.shape.size());
  for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
    require(x.shape[axis] > 0, "there is nothing to resize");
    const bool same = op.scales[axis] == 1.0F && x.shape[axis] == y.shape[axis];
    for (std::int64_t i = 0; i < y.shape[axis]; ++i) {
      tables[axis].push_back(same ? Tap{i, i, 0} : resize_tap(op, axis, x.shape[axis], i));
    }
  }
  return team_kernel(run_indexed, make_state(std::move(tables), x, y, 0));
}

}  // namespace deeper::backend::native
