// Max and average pooling. Windows are clipped to the input beforehand; where channels are contiguous in operand and
// result (NHWC and its slices) every window is a loop over vectors of channels. Bias and activation follow while a
// result is in registers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/native_pool.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Behind foreach_target.h.
#include <algorithm>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "backend/kernels/conv_shape.h"
#include "backend/kernels/epilogue-inl.h"
#include "backend/kernels/native_common.h"
#include "backend/kernels/native_pool.h"
#include "backend/kernels/native_vector-inl.h"

#ifndef DEEPER_NATIVE_POOL_STATE
#define DEEPER_NATIVE_POOL_STATE
namespace deeper::backend::native {
constexpr std::int64_t kShared = 3;  // columns of windows of which neighbours are pooled together
constexpr std::int64_t kMostNeighbours = 4;

// The taps of a window along one axis that read the input.
struct Taps {
  std::int64_t first = 0;     // offset of the first
  std::int64_t count = 0;     // how many
  std::int64_t declared = 0;  // with those in declared padding
};
struct PoolState {
  bool is_max = false;
  bool count_padding = false;
  bool has_bias = false;
  bool has_activation = false;
  Epilogue epilogue;
  std::int64_t images = 0;
  std::int64_t channels = 0;
  std::int64_t x_image = 0, x_channel = 0, x_row = 0;  // strides
  std::int64_t y_image = 0, y_channel = 0, y_row = 0, y_column = 0;
  std::int64_t row_step = 0, column_step = 0;    // from tap to tap
  std::int64_t row_shift = 0, column_shift = 0;  // from window to window, in taps; 0 where that is no whole number
  std::vector<Taps> rows;
  std::vector<Taps> columns;
  // Of each column: how many windows from there on read three columns of the input and share one or two with the next.
  std::vector<std::int64_t> neighbours;
};
}  // namespace deeper::backend::native
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {

struct Largest {
  static HWY_INLINE Vector start() { return hn::Set(Tag(), -std::numeric_limits<float>::infinity()); }
  static HWY_INLINE Vector join(Vector sum, Vector x) { return hn::Max(sum, x); }
};
struct Total {
  static HWY_INLINE Vector start() { return hn::Zero(Tag()); }
  static HWY_INLINE Vector join(Vector sum, Vector x) { return hn::Add(sum, x); }
};

// One window.
struct Window {
  const float* x;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row_step;
  std::int64_t column_step;
};

// What follows it: activation(scale x + bias), or its join with what is there.
struct Finish {
  float scale = 1;
  const float* bias = nullptr;         // null: none
  const Epilogue* epilogue = nullptr;  // null: no activation
  bool joins = false;                  // largest values that other rows of the window gave

  HWY_INLINE void store(Vector x, std::int64_t channel, float* y) const {
    const Tag d;
    if (joins) x = hn::Max(x, hn::LoadU(d, y));
    hn::StoreU(activate(bias != nullptr ? hn::Add(scaled(x), hn::LoadU(d, bias + channel)) : scaled(x)), d, y);
  }
  // The last `count` channels.
  HWY_INLINE void store_some(Vector x, std::int64_t channel, float* y, std::int64_t count) const {
    if (joins) x = hn::Max(x, load_some(y, count));
    native::HWY_NAMESPACE::store_some(
        activate(bias != nullptr ? hn::Add(scaled(x), load_some(bias + channel, count)) : scaled(x)), y, count);
  }
  float operator()(float x, std::int64_t channel) const {
    x = x * scale + (bias != nullptr ? bias[channel] : 0.0F);
    if (epilogue == nullptr) return x;
    return std::min(epilogue->high, std::max(epilogue->low, x < 0 ? x * epilogue->slope : x));
  }

 private:
  HWY_INLINE Vector scaled(Vector x) const { return hn::Mul(x, hn::Set(Tag(), scale)); }
  HWY_INLINE Vector activate(Vector x) const {
    return epilogue != nullptr ? backend::HWY_NAMESPACE::activated(Tag(), x, *epilogue) : x;
  }
};

// Four vectors of channels from `channel` on.
template <typename Kind>
HWY_INLINE void pool_four(const Window& window, const Finish& finish, std::int64_t channel, float* y) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  Vector a = Kind::start();
  Vector b = a;
  Vector c = a;
  Vector e = a;
  for (std::int64_t h = 0; h < window.rows; ++h) {
    const float* x = window.x + h * window.row_step;
    for (std::int64_t w = 0; w < window.columns; ++w, x += window.column_step) {
      a = Kind::join(a, hn::LoadU(d, x));
      b = Kind::join(b, hn::LoadU(d, x + lanes));
      c = Kind::join(c, hn::LoadU(d, x + 2 * lanes));
      e = Kind::join(e, hn::LoadU(d, x + 3 * lanes));
    }
  }
  finish.store(a, channel, y);
  finish.store(b, channel + lanes, y + lanes);
  finish.store(c, channel + 2 * lanes, y + 2 * lanes);
  finish.store(e, channel + 3 * lanes, y + 3 * lanes);
}

// One vector of channels, or `some` of it.
template <typename Kind, bool kSome>
HWY_INLINE void pool_one(const Window& window, const Finish& finish, std::int64_t channel, float* y,
                         std::int64_t some) {
  const Tag d;
  Vector sum = Kind::start();
  for (std::int64_t h = 0; h < window.rows; ++h) {
    const float* x = window.x + h * window.row_step;
    for (std::int64_t w = 0; w < window.columns; ++w, x += window.column_step) {
      sum = Kind::join(sum, kSome ? load_some(x, some) : hn::LoadU(d, x));
    }
  }
  if (kSome) {
    finish.store_some(sum, channel, y, some);
  } else {
    finish.store(sum, channel, y);
  }
}

template <typename Kind>
void pool_channels(Window window, const Finish& finish, float* y, std::int64_t channels) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  const float* const x = window.x;
  std::int64_t c = 0;
  for (; c + 4 * lanes <= channels; c += 4 * lanes) {
    window.x = x + c;
    pool_four<Kind>(window, finish, c, y + c);
  }
  for (; c + lanes <= channels; c += lanes) {
    window.x = x + c;
    pool_one<Kind, false>(window, finish, c, y + c, 0);
  }
  window.x = x + c;
  if (c < channels) pool_one<Kind, true>(window, finish, c, y + c, channels - c);
}

// Windows of three columns that lie side by side, each kShift columns from the last: what they share is joined along
// the rows once.
template <typename Kind, int kShift, int kCount>
void pool_neighbours(const Window& window, const Finish& finish, float* y, std::int64_t y_step, std::int64_t channels) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) {
    Vector sums[kShift * (kCount - 1) + kShared];
    for (Vector& sum : sums) sum = Kind::start();
    for (std::int64_t h = 0; h < window.rows; ++h) {
      const float* x = window.x + h * window.row_step + c;
#pragma GCC unroll 9
      for (Vector& sum : sums) {
        sum = Kind::join(sum, hn::LoadU(d, x));
        x += window.column_step;
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kCount; ++i) {
      const Vector* own = sums + kShift * i;
      const Vector all = Kind::join(Kind::join(own[0], own[1]), own[2]);
      finish.store(all, c, y + i * y_step + c);
    }
  }
  if (c == channels) return;
  for (int i = 0; i < kCount; ++i) {
    Window one = window;
    one.x += kShift * i * window.column_step + c;
    pool_one<Kind, true>(one, finish, c, y + i * y_step + c, channels - c);
  }
}

template <typename Kind, int kShift>
void pool_shifted(const Window& window, const Finish& finish, float* y, std::int64_t y_step, std::int64_t channels,
                  std::int64_t count) {
  switch (count) {
    case 4:
      return pool_neighbours<Kind, kShift, 4>(window, finish, y, y_step, channels);
    case 3:
      return pool_neighbours<Kind, kShift, 3>(window, finish, y, y_step, channels);
    case 2:
      return pool_neighbours<Kind, kShift, 2>(window, finish, y, y_step, channels);
    default:
      return pool_channels<Kind>(window, finish, y, channels);
  }
}

// What the windows of the next row read and these do not; by then what those hold has left L1 or L2.
void fetch_next_rows(const PoolState& state, const Window& window, std::int64_t count) {
  constexpr std::int64_t kLine = 16;  // floats
  for (std::int64_t row = 0; row < state.row_shift; ++row) {
    const float* x = window.x + (window.rows + row) * window.row_step;
    for (std::int64_t column = 0; column < state.column_shift * count; ++column, x += window.column_step) {
      for (std::int64_t c = 0; c < state.channels; c += kLine) __builtin_prefetch(x + c, 0, 2);
    }
  }
}

template <typename Kind>
void pool_contiguous(const PoolState& state, const Window& window, const Finish& finish, float* y, std::int64_t count) {
  fetch_next_rows(state, window, count);
  const auto run = state.column_shift == 2 ? pool_shifted<Kind, 2> : pool_shifted<Kind, 1>;
  run(window, finish, y, state.y_column, state.channels, count);
}

// Any layout, a channel at a time.
template <bool kMax>
void pool_strided(const Window& window, const Finish& finish, const PoolState& state, float* y) {
  for (std::int64_t channel = 0; channel < state.channels; ++channel) {
    float sum = kMax ? -std::numeric_limits<float>::infinity() : 0;
    for (std::int64_t h = 0; h < window.rows; ++h) {
      const float* x = window.x + channel * state.x_channel + h * window.row_step;
      for (std::int64_t w = 0; w < window.columns; ++w, x += window.column_step) {
        sum = kMax ? (*x > sum ? *x : sum) : sum + *x;
      }
    }
    y[channel * state.y_channel] = finish(sum, channel);
  }
}

float scale_of(const PoolState& state, const Taps& row, const Taps& column) {
  if (state.is_max) return 1;
  const std::int64_t count = state.count_padding ? row.declared * column.declared : row.count * column.count;
  return count == 0 ? 0 : 1.0F / static_cast<float>(count);
}

void pool(const PoolState& state, runtime::Addresses addresses, runtime::Team team) {
  const auto width = static_cast<std::int64_t>(state.columns.size());
  const auto height = static_cast<std::int64_t>(state.rows.size());
  const bool contiguous = state.x_channel == 1 && state.y_channel == 1;
  const Range range = share(state.images * height * width, 4, team);
  float* const result = output(addresses, state.has_bias ? 2 : 1);
  Finish finish{.bias = state.has_bias ? input(addresses, 1) : nullptr,
                .epilogue = state.has_activation ? &state.epilogue : nullptr};
  std::int64_t count = 1;
  for (std::int64_t pixel = range.begin; pixel < range.end; pixel += count) {
    const std::int64_t column = pixel % width;
    const std::int64_t row = pixel / width % height;
    const std::int64_t image = pixel / width / height;
    const Taps& rows = state.rows[static_cast<std::size_t>(row)];
    const Taps& columns = state.columns[static_cast<std::size_t>(column)];
    const float* x = input(addresses, 0) + image * state.x_image + rows.first + columns.first;
    float* y = result + image * state.y_image + row * state.y_row + column * state.y_column;
    const Window window{x, rows.count, columns.count, state.row_step, state.column_step};
    finish.scale = scale_of(state, rows, columns);
    if (contiguous) {
      count = std::min(state.neighbours[static_cast<std::size_t>(column)], range.end - pixel);
      const auto run = state.is_max ? pool_contiguous<Largest> : pool_contiguous<Total>;
      run(state, window, finish, y, count);
    } else {
      (state.is_max ? pool_strided<true> : pool_strided<false>)(window, finish, state, y);
    }
  }
}

// The windows of row `row` of the result, at `y`, that lie in `rows` of the input, whose first is at `x`.
void join_row(const PoolState& state, const float* x, const backend::Range& rows, std::int64_t row, float* y) {
  const Taps& taps = state.rows[static_cast<std::size_t>(row)];
  const std::int64_t start = taps.first / state.x_row;
  const std::int64_t first = std::max(start, rows.first);
  const std::int64_t count = std::min(start + taps.count, rows.last) - first;
  if (count <= 0) return;
  const Finish finish{.joins = first > start};
  const auto width = static_cast<std::int64_t>(state.columns.size());
  std::int64_t neighbours = 1;
  for (std::int64_t column = 0; column < width; column += neighbours) {
    const Taps& columns = state.columns[static_cast<std::size_t>(column)];
    const Window window{x + (first - rows.first) * state.x_row + columns.first, count, columns.count, state.row_step,
                        state.column_step};
    neighbours = state.neighbours[static_cast<std::size_t>(column)];
    if (first + count < rows.last) fetch_next_rows(state, window, neighbours);
    const auto run = state.column_shift == 2 ? pool_shifted<Largest, 2> : pool_shifted<Largest, 1>;
    run(window, finish, y + column * state.y_column, state.y_column, state.channels, neighbours);
  }
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::native {
namespace {

HWY_EXPORT(pool);
HWY_EXPORT(join_row);

void run_pool(const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
  HWY_DYNAMIC_DISPATCH(pool)(*static_cast<const PoolState*>(state), addresses, team);
}

// Number of k in [0, most) with start + k * step < end.
std::int64_t count_below(std::int64_t start, std::int64_t step, std::int64_t end, std::int64_t most) {
  return std::clamp<std::int64_t>((end - start + step - 1) / step, 0, most);
}

std::vector<Taps> taps_along(const ir::Pool& op, std::size_t axis, std::int64_t input, std::int64_t result,
                             std::int64_t stride) {
  const std::int64_t step = op.dilations[axis];
  std::vector<Taps> all;
  for (std::int64_t i = 0; i < result; ++i) {
    const std::int64_t start = i * op.strides[axis] - op.pads[axis];
    const std::int64_t outside = start < 0 ? count_below(start, step, 0, op.kernel[axis]) : 0;
    const std::int64_t end = start < input ? count_below(start, step, input, op.kernel[axis]) : 0;
    const std::int64_t declared = count_below(start, step, input + op.pads[axis + 2], op.kernel[axis]);
    all.push_back({end > outside ? (start + outside * step) * stride : 0, std::max<std::int64_t>(0, end - outside),
                   start < input + op.pads[axis + 2] ? declared : 0});
  }
  return all;
}

std::int64_t shift_of(const ir::Pool& op, std::size_t axis) {
  return op.strides[axis] % op.dilations[axis] == 0 ? op.strides[axis] / op.dilations[axis] : 0;
}

std::vector<std::int64_t> neighbours_of(std::span<const Taps> columns, std::int64_t shift, std::int64_t column_step) {
  std::vector<std::int64_t> counts(columns.size(), 1);
  if (shift == 0 || shift >= kShared) return counts;
  for (std::size_t i = columns.size(); i-- > 1;) {
    const Taps& left = columns[i - 1];
    const Taps& right = columns[i];
    const bool share = left.count == kShared && right.count == kShared && left.declared == right.declared &&
                       right.first - left.first == shift * column_step;
    if (share) counts[i - 1] = std::min(counts[i] + 1, kMostNeighbours);
  }
  return counts;
}

// Windows of images with these layouts.
PoolState windows_of(const ir::Pool& op, const Layout& x, const Layout& y) {
  PoolState state;
  state.is_max = op.kind == ir::PoolKind::max;
  state.count_padding = op.count_include_pad;
  state.images = y.shape[0];
  state.channels = y.shape[1];
  state.x_image = x.strides[0];
  state.x_channel = x.shape[1] == 1 ? 1 : x.strides[1];
  state.x_row = x.strides[2];
  state.y_image = y.strides[0];
  state.y_channel = y.shape[1] == 1 ? 1 : y.strides[1];
  state.y_row = y.strides[2];
  state.y_column = y.strides[3];
  state.row_step = x.strides[2] * op.dilations[0];
  state.column_step = x.strides[3] * op.dilations[1];
  state.rows = taps_along(op, 0, x.shape[2], y.shape[2], x.strides[2]);
  state.columns = taps_along(op, 1, x.shape[3], y.shape[3], x.strides[3]);
  state.row_shift = shift_of(op, 0);
  state.column_shift = shift_of(op, 1);
  state.neighbours = neighbours_of(state.columns, state.column_shift, state.column_step);
  return state;
}

}  // namespace

bool RowPool::applies(const ir::Pool& op) {
  bool applies = op.kind == ir::PoolKind::max && op.activation == ir::Activation{} && op.dilations == ir::Extent2{1, 1};
  for (std::size_t side = 0; side < op.pads.size(); ++side) {
    applies = applies && op.pads[side] >= 0 && op.pads[side] < op.kernel[side % 2];
  }
  return applies;
}

RowPool::RowPool(const ir::Pool& op, std::int64_t channels, const ir::Extent2& input, const ir::Extent2& output,
                 std::int64_t x_row, std::int64_t x_pixel, const ImageStrides& y) {
  const Layout from{.shape = {1, channels, input[0], input[1]}, .strides = {0, 1, x_row, x_pixel}};
  const Layout to{.shape = {1, channels, output[0], output[1]}, .strides = {0, 1, y.row, y.pixel}};
  state_ = std::make_shared<const PoolState>(windows_of(op, from, to));
}

backend::Range RowPool::rows_read(backend::Range results) const {
  backend::Range rows;
  for (std::int64_t row = results.first; row < results.last; ++row) {
    const Taps& taps = state_->rows[static_cast<std::size_t>(row)];
    if (taps.count == 0) continue;
    const std::int64_t first = taps.first / state_->x_row;
    if (rows.size() == 0) rows = {first, first};
    rows.last = first + taps.count;
  }
  return rows;
}

void RowPool::join(const float* x, backend::Range rows, float* y, backend::Range results) const {
  for (std::int64_t row = results.first; row < results.last; ++row) {
    HWY_DYNAMIC_DISPATCH(join_row)(*state_, x, rows, row, y + (row - results.first) * state_->y_row);
  }
}

runtime::Executable prepare_pool(const runtime::Step& step, int) {
  require_sound(step);
  const auto& op = op_as<ir::Pool>(step);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  require(has_simple_activation(op.activation), "pools lack this activation");
  auto state = std::make_shared<PoolState>(windows_of(op, x, y));
  state->has_bias = step.operands.size() > 1;
  if (state->has_bias) require(operand_at(step, 1).strides == ir::Shape{1}, "a bias is not contiguous");
  state->has_activation = op.activation != ir::Activation{};
  state->epilogue = make_epilogue(op.activation);
  return team_kernel(run_pool, std::move(state));
}

}  // namespace deeper::backend::native
#endif
