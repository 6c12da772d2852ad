// Gather: one slice of the data per index.
#include <algorithm>
#include <memory>

#include "backend/kernels/native_common.h"

namespace deeper::backend::native {
namespace {

struct GatherState {
  Layout outer_x;  // the data's axes ahead of the gathered one
  Layout outer_y;
  Layout indices;
  Layout indices_y;
  Nest<2> slice;  // the data's axes behind; data, result
  std::int64_t slices = 0;
  std::int64_t index_count = 0;
  std::int64_t extent = 0;  // of the gathered axis
  std::int64_t stride = 0;
};

// Offset of element `number` in row-major order.
std::int64_t offset_of(const Layout& layout, std::int64_t number) noexcept {
  std::int64_t offset = 0;
  for (std::size_t i = layout.shape.size(); i-- > 0;) {
    offset += number % layout.shape[i] * layout.strides[i];
    number /= layout.shape[i];
  }
  return offset;
}

// The position that an index means: negative from the end, else the nearest end, whatever it is.
std::int64_t position(float index, std::int64_t extent) noexcept {
  const auto last = static_cast<float>(extent - 1);
  const float wish = index < 0 ? index + static_cast<float>(extent) : index;
  if (!(wish > 0)) return 0;
  return wish >= last ? extent - 1 : static_cast<std::int64_t>(wish);
}

void run_gather(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const GatherState& state = *static_cast<const GatherState*>(opaque);
  const std::int64_t grain = std::max<std::int64_t>(1, 1024 / std::max<std::int64_t>(1, state.slice.total));
  const Range range = share(state.slices, grain, team);
  const std::int64_t x_step = state.slice.inner_stride(0);
  const std::int64_t y_step = state.slice.inner_stride(1);
  for (std::int64_t number = range.begin; number < range.end; ++number) {
    const std::int64_t outer = number / state.index_count;
    const std::int64_t which = number % state.index_count;
    const float index = input(addresses, 1)[offset_of(state.indices, which)];
    const float* x =
        input(addresses, 0) + offset_of(state.outer_x, outer) + position(index, state.extent) * state.stride;
    float* y = output(addresses, 2) + offset_of(state.outer_y, outer) + offset_of(state.indices_y, which);
    walk(state.slice, {0, state.slice.total}, [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i) y[offsets[1] + i * y_step] = x[offsets[0] + i * x_step];
    });
  }
}

// Axes [begin, end) of a layout.
Layout axes_of(const Layout& layout, std::size_t begin, std::size_t end) {
  const auto first = static_cast<std::ptrdiff_t>(begin);
  const auto last = static_cast<std::ptrdiff_t>(end);
  return {{layout.shape.begin() + first, layout.shape.begin() + last},
          {layout.strides.begin() + first, layout.strides.begin() + last},
          0};
}

}  // namespace

runtime::Executable prepare_gather(const runtime::Step& step, int) {
  require_sound(step);
  const auto axis = static_cast<std::size_t>(op_as<ir::Gather>(step).axis);
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  auto state = std::make_shared<GatherState>();
  state->indices = layout_of(operand_at(step, 1));
  const std::size_t index_axes = state->indices.shape.size();
  state->outer_x = axes_of(x, 0, axis);
  state->outer_y = axes_of(y, 0, axis);
  state->indices_y = axes_of(y, axis, axis + index_axes);
  state->slice = make_nest<2>({axes_of(x, axis + 1, x.shape.size()), axes_of(y, axis + index_axes, y.shape.size())});
  state->index_count = ir::element_count(state->indices.shape);
  state->slices = ir::element_count(state->outer_x.shape) * state->index_count;
  state->extent = x.shape[axis];
  state->stride = x.strides[axis];
  require(state->extent > 0 || state->slices * state->slice.total == 0, "there is nothing to gather from");
  return team_kernel(run_gather, std::move(state));
}

}  // namespace deeper::backend::native
