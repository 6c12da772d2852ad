// Layouts and loop nests of the native kernels.
#include "backend/kernels/native_common.h"

#include <algorithm>
#include <numeric>

#include "ir/error.h"

namespace deeper::backend::native {
void refuse(const char* what) { throw ModelError(what); }

const runtime::Operand& operand_at(const runtime::Step& step, std::size_t i) {
  require(i < step.operands.size() && step.operands[i].space != runtime::Space::none, "an operand is missing");
  return step.operands[i];
}

Layout layout_of(const runtime::Operand& operand) {
  require(operand.space != runtime::Space::none, "an operand is missing");
  require(operand.strides.size() == operand.shape.size(), "an operand has no strides");
  require(operand.shape.size() <= kMaxRank, "an operand has more than eight axes");
  return {operand.shape, operand.strides, 0};
}

Layout broadcast_to(const Layout& layout, const ir::Shape& shape) {
  require(layout.shape.size() <= shape.size() && shape.size() <= kMaxRank, "an operand does not broadcast");
  const std::size_t added = shape.size() - layout.shape.size();
  Layout result{shape, ir::Shape(shape.size(), 0), layout.offset};
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    if (layout.shape[i] == shape[added + i]) {
      result.strides[added + i] = layout.strides[i];
    } else {
      require(layout.shape[i] == 1, "an operand does not broadcast");
    }
  }
  return result;
}

void require_sound(const runtime::Step& step) {
  runtime::require_inferred(step);
  const auto count = static_cast<std::uint64_t>(ir::element_count(step.result.shape));
  require(count <= step.result.bytes / sizeof(float), "the result's elements overlap");
}

Range share(std::int64_t count, std::int64_t grain, runtime::Team team) {
  const std::int64_t blocks = (count + grain - 1) / grain;
  const std::int64_t begin = blocks * team.index / team.count;
  const std::int64_t end = blocks * (team.index + 1) / team.count;
  return {std::min(begin * grain, count), std::min(end * grain, count)};
}

template <int K>
Nest<K> make_nest(const std::array<Layout, K>& layouts) {
  const ir::Shape& shape = layouts[K - 1].shape;
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) axes.push_back(i);
  }
  std::ranges::stable_sort(axes, std::ranges::greater{},
                           [&](std::size_t axis) { return layouts[K - 1].strides[axis]; });
  Nest<K> nest;
  nest.total = ir::element_count(shape);
  for (std::size_t k = 0; k < K; ++k) nest.offsets[k] = layouts[k].offset;
  for (const std::size_t axis : axes) {
    const auto continues = [&](const Layout& layout, std::size_t k) {
      return nest.strides[k][static_cast<std::size_t>(nest.rank) - 1] == layout.strides[axis] * shape[axis];
    };
    bool merges = nest.rank > 0;
    for (std::size_t k = 0; k < K && merges; ++k) merges = continues(layouts[k], k);
    if (!merges) ++nest.rank;
    const auto a = static_cast<std::size_t>(nest.rank) - 1;
    nest.extents[a] = (merges ? nest.extents[a] : 1) * shape[axis];
    for (std::size_t k = 0; k < K; ++k) nest.strides[k][a] = layouts[k].strides[axis];
  }
  if (nest.rank == 0) {
    nest.rank = 1;
    nest.extents[0] = 1;
  }
  return nest;
}
template Nest<2> make_nest<2>(const std::array<Layout, 2>& layouts);
template Nest<3> make_nest<3>(const std::array<Layout, 3>& layouts);
template Nest<4> make_nest<4>(const std::array<Layout, 4>& layouts);

}  // namespace deeper::backend::native
