// Strided copies. An op that only moves elements is a copy between two layouts of one shape (one per Concat operand):
// contiguous rows go by memcpy, transpositions by blocks of 4 x 4, and reshapes that no pair of layouts expresses by
// the index of every element.
#include <xmmintrin.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>

#include "backend/kernels/native_common.h"

namespace deeper::backend::native {
namespace {

constexpr std::int64_t kGrain = 1024;
constexpr std::int64_t kTileAcross = 64;  // elements of a transposition's tile along the source's contiguous axis
constexpr std::int64_t kTileAlong = 32;   // ... and along the result's

struct Transposition {
  std::array<std::int64_t, kMaxRank> tiles{};  // number along every axis of the nest
  std::size_t across = 0;                      // axis along which the source is contiguous
  std::int64_t total = 0;
};

struct Piece {
  std::size_t operand = 0;
  Nest<2> nest;  // source, result
  std::optional<Transposition> transposition;
};

struct CopyState {
  std::vector<Piece> pieces;
  std::size_t result = 0;  // number of its address
  // A Reshape between layouts that share no finer shape.
  std::optional<std::array<Layout, 2>> by_index;
};

using Pair = std::array<Layout, 2>;

// --- what a step copies ---

Pair pair_of(const ir::Identity&, const Layout& x, const Layout& y) { return {x, y}; }

Pair pair_of(const ir::Slice& op, const Layout& x, const Layout& y) {
  Pair pair{Layout{op.shape, x.strides, x.offset}, y};
  for (std::size_t i = 0; i < op.starts.size(); ++i) {
    pair[0].offset += op.starts[i] * x.strides[i];
    pair[0].strides[i] *= op.steps[i];
  }
  return pair;
}

Pair pair_of(const ir::Transpose& op, const Layout& x, const Layout& y) {
  Pair pair{x, y};
  for (std::size_t i = 0; i < op.perm.size(); ++i) {
    pair[0].shape[i] = x.shape[static_cast<std::size_t>(op.perm[i])];
    pair[0].strides[i] = x.strides[static_cast<std::size_t>(op.perm[i])];
  }
  return pair;
}

Pair pair_of(const ir::Expand&, const Layout& x, const Layout& y) { return {broadcast_to(x, y.shape), y}; }

// Numbers of elements behind each axis, and all of them: {24, 12, 4, 1} for [2,3,4].
std::vector<std::int64_t> suffix_products(const ir::Shape& shape) {
  std::vector<std::int64_t> products = {1};
  for (std::size_t i = shape.size(); i-- > 0;) products.push_back(products.back() * shape[i]);
  std::ranges::reverse(products);
  return products;
}

// The layout in the finer shape whose suffix products are `cuts`.
Layout refined(const Layout& layout, std::span<const std::int64_t> cuts) {
  const std::vector<std::int64_t> own = suffix_products(layout.shape);
  Layout result{{}, {}, layout.offset};
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    std::size_t axis = 0;  // the one that the cut lies in
    while (own[axis + 1] > cuts[i + 1]) ++axis;
    result.shape.push_back(cuts[i] / cuts[i + 1]);
    result.strides.push_back(layout.strides[axis] * (cuts[i + 1] / own[axis + 1]));
  }
  return result;
}

// Both layouts in one shape finer than either; nothing where there is none.
std::optional<Pair> common_refinement(const Layout& x, const Layout& y) {
  if (ir::element_count(x.shape) == 0) return Pair{Layout{{0}, {0}, 0}, Layout{{0}, {0}, 0}};
  std::vector<std::int64_t> cuts = suffix_products(x.shape);
  const std::vector<std::int64_t> others = suffix_products(y.shape);
  cuts.insert(cuts.end(), others.begin(), others.end());
  std::ranges::sort(cuts, std::ranges::greater{});
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  if (cuts.size() > kMaxRank + 1) return std::nullopt;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    if (cuts[i] % cuts[i + 1] != 0) return std::nullopt;
  }
  return Pair{refined(x, cuts), refined(y, cuts)};
}

// --- how ---

std::optional<Transposition> find_transposition(const Nest<2>& nest) {
  const auto last = static_cast<std::size_t>(nest.rank) - 1;
  if (nest.rank < 2 || nest.strides[0][last] == 1 || nest.strides[1][last] != 1) return std::nullopt;
  Transposition result;
  result.across = last;
  for (std::size_t axis = 0; axis < last; ++axis) {
    if (nest.strides[0][axis] == 1) result.across = axis;
  }
  if (result.across == last) return std::nullopt;
  result.total = 1;
  for (std::size_t axis = 0; axis <= last; ++axis) {
    const std::int64_t tile = axis == last ? kTileAlong : axis == result.across ? kTileAcross : 1;
    result.tiles[axis] = (nest.extents[axis] + tile - 1) / tile;
    result.total *= result.tiles[axis];
  }
  return result;
}

// The elements of `layout` lie among the first `count` from the operand's address.
void require_inside(const Layout& layout, std::int64_t count) {
  std::int64_t least = layout.offset;
  std::int64_t most = layout.offset;
  bool fits = true;
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    if (layout.shape[i] == 0) return;
    std::int64_t reach = 0;
    std::int64_t& end = layout.strides[i] < 0 ? least : most;
    fits = fits && !__builtin_mul_overflow(layout.shape[i] - 1, layout.strides[i], &reach) &&
           !__builtin_add_overflow(end, reach, &end);
  }
  require(fits && least >= 0 && most < count, "reads outside an operand");
}

Piece make_piece(const runtime::Step& step, std::size_t operand, const Pair& pair) {
  require(pair[0].shape == pair[1].shape, "shapes of a copy differ");
  require_inside(pair[0], static_cast<std::int64_t>(step.operands[operand].bytes / sizeof(float)));
  Piece piece{operand, make_nest<2>(pair), std::nullopt};
  piece.transposition = find_transposition(piece.nest);
  return piece;
}

// Four rows of four elements.
void transpose_4x4(const float* source, std::int64_t source_stride, float* result, std::int64_t result_stride) {
  __m128 a = _mm_loadu_ps(source);
  __m128 b = _mm_loadu_ps(source + source_stride);
  __m128 c = _mm_loadu_ps(source + 2 * source_stride);
  __m128 d = _mm_loadu_ps(source + 3 * source_stride);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(result, a);
  _mm_storeu_ps(result + result_stride, b);
  _mm_storeu_ps(result + 2 * result_stride, c);
  _mm_storeu_ps(result + 3 * result_stride, d);
}

// Four pixels of three planes to three channels side by side, as images come in.
void interleave_3x4(const float* source, std::int64_t source_stride, float* result) {
  const __m128 a = _mm_loadu_ps(source);
  const __m128 b = _mm_loadu_ps(source + source_stride);
  const __m128 c = _mm_loadu_ps(source + 2 * source_stride);
  const __m128 low = _mm_unpacklo_ps(a, b);   // a0 b0 a1 b1
  const __m128 high = _mm_unpackhi_ps(a, b);  // a2 b2 a3 b3
  const __m128 c0_a1 = _mm_shuffle_ps(c, low, _MM_SHUFFLE(2, 2, 0, 0));
  const __m128 b1_c1 = _mm_shuffle_ps(low, c, _MM_SHUFFLE(1, 1, 3, 3));
  const __m128 c2_a3 = _mm_shuffle_ps(c, high, _MM_SHUFFLE(2, 2, 2, 2));
  const __m128 b3_c3 = _mm_shuffle_ps(high, c, _MM_SHUFFLE(3, 3, 3, 3));
  _mm_storeu_ps(result, _mm_shuffle_ps(low, c0_a1, _MM_SHUFFLE(2, 0, 1, 0)));
  _mm_storeu_ps(result + 4, _mm_shuffle_ps(b1_c1, high, _MM_SHUFFLE(1, 0, 2, 0)));
  _mm_storeu_ps(result + 8, _mm_shuffle_ps(c2_a3, b3_c3, _MM_SHUFFLE(2, 0, 2, 0)));
}

// result[i * result_stride + j] = source[j * source_stride + i]
void transpose_tile(const float* source, std::int64_t source_stride, float* result, std::int64_t result_stride,
                    std::int64_t across, std::int64_t along) {
  if (along == 3 && result_stride == 3) {
    for (; across >= 4; across -= 4, source += 4, result += 12) interleave_3x4(source, source_stride, result);
  }
  std::int64_t j = 0;
  for (; j + 4 <= along; j += 4) {
    std::int64_t i = 0;
    for (; i + 4 <= across; i += 4) {
      transpose_4x4(source + j * source_stride + i, source_stride, result + i * result_stride + j, result_stride);
    }
    for (; i < across; ++i) {
      for (std::int64_t k = j; k < j + 4; ++k) result[i * result_stride + k] = source[k * source_stride + i];
    }
  }
  for (; j < along; ++j) {
    for (std::int64_t i = 0; i < across; ++i) result[i * result_stride + j] = source[j * source_stride + i];
  }
}

void run_transposition(const Piece& piece, const float* source, float* result, runtime::Team team) noexcept {
  const Nest<2>& nest = piece.nest;
  const Transposition& plan = *piece.transposition;
  const auto last = static_cast<std::size_t>(nest.rank) - 1;
  const Range range = share(plan.total, 1, team);
  for (std::int64_t tile = range.begin; tile < range.end; ++tile) {
    std::int64_t rest = tile;
    std::int64_t from = nest.offsets[0];
    std::int64_t to = nest.offsets[1];
    std::int64_t across = 0;
    std::int64_t along = 0;
    for (std::size_t axis = last + 1; axis-- > 0;) {
      std::int64_t index = rest % plan.tiles[axis];
      rest /= plan.tiles[axis];
      if (axis == last) {
        index *= kTileAlong;
        along = std::min(kTileAlong, nest.extents[axis] - index);
      } else if (axis == plan.across) {
        index *= kTileAcross;
        across = std::min(kTileAcross, nest.extents[axis] - index);
      }
      from += index * nest.strides[0][axis];
      to += index * nest.strides[1][axis];
    }
    transpose_tile(source + from, nest.strides[0][last], result + to, nest.strides[1][plan.across], across, along);
  }
}

void run_rows(const Nest<2>& nest, const float* source, float* result, runtime::Team team) noexcept {
  const std::int64_t from_stride = nest.inner_stride(0);
  const std::int64_t to_stride = nest.inner_stride(1);
  walk(nest, share(nest.total, kGrain, team), [&](const std::array<std::int64_t, 2>& offsets, std::int64_t n) {
    const float* from = source + offsets[0];
    float* to = result + offsets[1];
    if (from_stride == 1 && to_stride == 1) {
      std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
    } else if (from_stride == 0 && to_stride == 1) {
      std::fill_n(to, n, *from);
    } else {
      for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
    }
  });
}

std::int64_t offset_of(const Layout& layout, std::int64_t element) noexcept {
  std::int64_t offset = layout.offset;
  for (std::size_t i = layout.shape.size(); i-- > 0;) {
    offset += element % layout.shape[i] * layout.strides[i];
    element /= layout.shape[i];
  }
  return offset;
}

void run_by_index(const Pair& pair, const float* source, float* result, std::int64_t count,
                  runtime::Team team) noexcept {
  const Range range = share(count, kGrain, team);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    result[offset_of(pair[1], i)] = source[offset_of(pair[0], i)];
  }
}

void run_copy(const void* opaque, runtime::Addresses addresses, runtime::Team team) noexcept {
  const CopyState& state = *static_cast<const CopyState*>(opaque);
  float* result = output(addresses, state.result);
  if (state.by_index) {
    std::int64_t count = 1;
    for (const std::int64_t extent : (*state.by_index)[0].shape) count *= extent;
    run_by_index(*state.by_index, input(addresses, 0), result, count, team);
  }
  for (const Piece& piece : state.pieces) {
    if (piece.transposition) {
      run_transposition(piece, input(addresses, piece.operand), result, team);
    } else {
      run_rows(piece.nest, input(addresses, piece.operand), result, team);
    }
  }
}

// --- one overload per op that moves elements ---

template <typename Op>
void add_pieces(const Op& op, const runtime::Step& step, CopyState& state) {
  state.pieces.push_back(make_piece(step, 0, pair_of(op, layout_of(operand_at(step, 0)), layout_of(step.result))));
}

void add_pieces(const ir::Reshape&, const runtime::Step& step, CopyState& state) {
  const Layout x = layout_of(operand_at(step, 0));
  const Layout y = layout_of(step.result);
  if (const auto pair = common_refinement(x, y)) {
    state.pieces.push_back(make_piece(step, 0, *pair));
  } else {
    state.by_index = Pair{x, y};
  }
}

void add_pieces(const ir::Concat& op, const runtime::Step& step, CopyState& state) {
  const auto axis = static_cast<std::size_t>(op.axis);
  Layout part = layout_of(step.result);
  for (std::size_t i = 0; i < step.operands.size(); ++i) {
    const Layout x = layout_of(operand_at(step, i));
    part.shape[axis] = x.shape[axis];
    state.pieces.push_back(make_piece(step, i, {x, part}));
    part.offset += x.shape[axis] * part.strides[axis];
  }
}

}  // namespace

runtime::Executable prepare_copy(const runtime::Step& step, int) {
  require_sound(step);
  auto state = std::make_shared<CopyState>();
  state->result = step.operands.size();
  if (const auto* identity = std::get_if<ir::Identity>(&step.op)) {
    add_pieces(*identity, step, *state);
  } else if (const auto* slice = std::get_if<ir::Slice>(&step.op)) {
    add_pieces(*slice, step, *state);
  } else if (const auto* transpose = std::get_if<ir::Transpose>(&step.op)) {
    add_pieces(*transpose, step, *state);
  } else if (const auto* expand = std::get_if<ir::Expand>(&step.op)) {
    add_pieces(*expand, step, *state);
  } else if (const auto* reshape = std::get_if<ir::Reshape>(&step.op)) {
    add_pieces(*reshape, step, *state);
  } else {
    add_pieces(op_as<ir::Concat>(step), step, *state);
  }
  return team_kernel(run_copy, std::move(state));
}

}  // namespace deeper::backend::native
