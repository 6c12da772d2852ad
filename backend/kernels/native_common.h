#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "ir/ops.h"
#include "runtime/kernel.h"

// What the native kernels share: where operands lie, loop nests over several of them, work for one thread of a team.
namespace deeper::backend::native {

inline constexpr int kMaxRank = 8;

// f32 elements of `shape` at `offset` plus strides, in elements from an operand's address. Strides may be negative.
struct Layout {
  ir::Shape shape;
  ir::Shape strides;
  std::int64_t offset = 0;
};

// Throw ModelError where the operand is missing, or has no strides.
const runtime::Operand& operand_at(const runtime::Step& step, std::size_t i);
Layout layout_of(const runtime::Operand& operand);

// The layout read as a larger shape, numpy-wise. Throws ModelError where it does not broadcast.
Layout broadcast_to(const Layout& layout, const ir::Shape& shape);

// Throws ModelError unless the shapes of the step's operands and result fit its op (ir::infer) and the result has room
// for every element.
void require_sound(const runtime::Step& step);

// Throws ModelError.
[[noreturn]] void refuse(const char* what);
inline void require(bool condition, const char* what) {
  if (!condition) refuse(what);
}

// The step's op as a T. Throws ModelError where it is another.
template <typename T>
const T& op_as(const runtime::Step& step) {
  const T* op = std::get_if<T>(&step.op);
  require(op != nullptr, "the kernel does not compute this op");
  return *op;
}

struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// This thread's share of `count` items, in whole blocks of `grain` (but the last).
Range share(std::int64_t count, std::int64_t grain, runtime::Team team);

// Loops over K operands at once, outermost first, few and long: axes of extent 1 are gone, axes that continue each
// other in every operand are one. The last operand's strides decide the order.
template <int K>
struct Nest {
  int rank = 0;
  std::array<std::int64_t, kMaxRank> extents{};
  std::array<std::array<std::int64_t, kMaxRank>, K> strides{};
  std::array<std::int64_t, K> offsets{};
  std::int64_t total = 0;

  std::int64_t inner() const { return extents[static_cast<std::size_t>(rank) - 1]; }
  std::int64_t inner_stride(std::size_t k) const { return strides[k][static_cast<std::size_t>(rank) - 1]; }
};

// All layouts have the same shape.
template <int K>
Nest<K> make_nest(const std::array<Layout, K>& layouts);
extern template Nest<2> make_nest<2>(const std::array<Layout, 2>& layouts);
extern template Nest<3> make_nest<3>(const std::array<Layout, 3>& layouts);
extern template Nest<4> make_nest<4>(const std::array<Layout, 4>& layouts);

// Calls row(offsets, n) for every stretch of n elements along the innermost axis that lies in `range` of the nest's
// elements.
template <int K, typename Row>
void walk(const Nest<K>& nest, Range range, Row row) {
  if (range.begin >= range.end) return;
  const int last = nest.rank - 1;
  std::array<std::int64_t, kMaxRank> index{};
  std::array<std::int64_t, K> offsets = nest.offsets;
  std::int64_t rest = range.begin;
  for (int axis = last; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(axis);
    index[a] = rest % nest.extents[a];
    rest /= nest.extents[a];
    for (std::size_t k = 0; k < K; ++k) offsets[k] += index[a] * nest.strides[k][a];
  }
  const auto inner = static_cast<std::size_t>(last);
  for (std::int64_t position = range.begin; position < range.end;) {
    const std::int64_t left = range.end - position;
    const std::int64_t in_row = nest.extents[inner] - index[inner];
    const std::int64_t n = left < in_row ? left : in_row;
    row(offsets, n);
    position += n;
    for (std::size_t k = 0; k < K; ++k) offsets[k] -= index[inner] * nest.strides[k][inner];
    index[inner] = 0;
    for (int axis = last - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      for (std::size_t k = 0; k < K; ++k) offsets[k] += nest.strides[k][a];
      if (++index[a] < nest.extents[a]) break;
      for (std::size_t k = 0; k < K; ++k) offsets[k] -= index[a] * nest.strides[k][a];
      index[a] = 0;
    }
  }
}

// Addresses of operand i and of the result among those a kernel is given.
inline const float* input(runtime::Addresses addresses, std::size_t i) {
  return reinterpret_cast<const float*>(addresses[i]);
}
inline float* output(runtime::Addresses addresses, std::size_t i) { return reinterpret_cast<float*>(addresses[i]); }

inline runtime::Executable team_kernel(runtime::Executable::Run run, std::shared_ptr<const void> state) {
  return {.run = run, .state = std::move(state), .is_team_kernel = true};
}

// One row each; see native.h.
runtime::Executable prepare_copy(const runtime::Step& step, int threads);
runtime::Executable prepare_unary(const runtime::Step& step, int threads);
runtime::Executable prepare_binary(const runtime::Step& step, int threads);
runtime::Executable prepare_where(const runtime::Step& step, int threads);
runtime::Executable prepare_matvec(const runtime::Step& step, int threads);
runtime::Executable prepare_pool(const runtime::Step& step, int threads);
runtime::Executable prepare_reduce(const runtime::Step& step, int threads);
runtime::Executable prepare_lrn(const runtime::Step& step, int threads);
runtime::Executable prepare_softmax(const runtime::Step& step, int threads);
runtime::Executable prepare_pad(const runtime::Step& step, int threads);
runtime::Executable prepare_resize(const runtime::Step& step, int threads);
runtime::Executable prepare_gather(const runtime::Step& step, int threads);

}  // namespace deeper::backend::native
