// Conv and MatMul: both multiply rows (weights, or rows of a) with panels: kPanel columns of the other operand, packed
// depth by depth. Every result element is one sum, accumulated in the order of its definition.
#include <algorithm>
#include <vector>

#include "ir/evaluate_ops.h"

namespace deeper::ir::oracle {
namespace {

constexpr std::int64_t kPanel = 32;  // columns packed together
constexpr std::int64_t kRows = 4;    // rows multiplied together

template <typename Real>
constexpr std::int64_t kColumns = 2 * 16 / sizeof(Real);  // columns multiplied together

template <typename Real>
using Block = std::array<std::array<Real, kColumns<Real>>, kRows>;

// Sums over depth of rows[r][k] * panel[k][0 .. kColumns), in two vectors of 16 bytes per row.
template <typename Real>
Block<Real> multiply_block(const std::array<const Real*, kRows>& rows, std::int64_t depth, const Real* panel) {
  typedef Real Vector __attribute__((vector_size(16), aligned(alignof(Real)), may_alias));
  Vector sums[kRows][2] = {};
  for (std::int64_t k = 0; k < depth; ++k) {
    const auto* const columns = reinterpret_cast<const Vector*>(panel + k * kPanel);
    for (std::size_t r = 0; r < kRows; ++r) {
      sums[r][0] += rows[r][k] * columns[0];
      sums[r][1] += rows[r][k] * columns[1];
    }
  }
  Block<Real> block;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t i = 0; i < block[r].size(); ++i) {
      block[r][i] = sums[r][i / (block[r].size() / 2)][i % (block[r].size() / 2)];
    }
  }
  return block;
}

// Row m of `rows` [row_count, depth] times column j < columns of the panel goes to store(m, j, sum).
template <typename Real, typename Store>
void multiply_panel(const Real* rows, std::int64_t row_count, std::int64_t depth, const Real* panel,
                    std::int64_t columns, const Store& store) {
  for (std::int64_t m = 0; m < row_count; m += kRows) {
    std::array<const Real*, kRows> block_rows;
    for (std::int64_t r = 0; r < kRows; ++r) {
      block_rows[static_cast<std::size_t>(r)] = rows + std::min(m + r, row_count - 1) * depth;
    }
    for (std::int64_t j = 0; j < columns; j += kColumns<Real>) {
      const Block<Real> block = multiply_block(block_rows, depth, panel + j);
      for (std::int64_t r = 0; r < std::min(kRows, row_count - m); ++r) {
        for (std::int64_t i = 0; i < std::min(kColumns<Real>, columns - j); ++i) {
          store(m + r, j + i, block[static_cast<std::size_t>(r)][static_cast<std::size_t>(i)]);
        }
      }
    }
  }
}

// How many parts to cut the rows into, so that every thread has work.
std::int64_t row_parts(std::int64_t panels, std::int64_t rows, int threads) {
  const std::int64_t wanted = (2 * threads + panels - 1) / std::max<std::int64_t>(panels, 1);
  return std::clamp<std::int64_t>(wanted, 1, (rows + kRows - 1) / kRows);
}

struct ConvShape {
  std::int64_t channels, height, width;              // of the input, channels of one group
  std::int64_t out_channels, out_height, out_width;  // of the result, channels of one group
  std::int64_t kernel_height, kernel_width;
  std::int64_t depth() const { return channels * kernel_height * kernel_width; }
  std::int64_t pixels() const { return out_height * out_width; }
};

// The input elements that result pixels [begin, begin + columns) read, [depth][kPanel]; 0 in the padding.
template <typename Real>
void pack_image(const Conv& op, const ConvShape& s, const Real* x, std::int64_t begin, std::int64_t columns,
                Real* panel) {
  std::array<std::int64_t, kPanel> top{};
  std::array<std::int64_t, kPanel> left{};
  for (std::int64_t j = 0; j < columns; ++j) {
    top[static_cast<std::size_t>(j)] = (begin + j) / s.out_width * op.strides[0] - op.pads[0];
    left[static_cast<std::size_t>(j)] = (begin + j) % s.out_width * op.strides[1] - op.pads[1];
  }
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const Real* const plane = x + c * s.height * s.width;
    for (std::int64_t kh = 0; kh < s.kernel_height; ++kh) {
      for (std::int64_t kw = 0; kw < s.kernel_width; ++kw, panel += kPanel) {
        for (std::int64_t j = 0; j < columns; ++j) {
          const std::int64_t h = top[static_cast<std::size_t>(j)] + kh * op.dilations[0];
          const std::int64_t w = left[static_cast<std::size_t>(j)] + kw * op.dilations[1];
          const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
          panel[j] = inside ? plane[h * s.width + w] : Real{0};
        }
      }
    }
  }
}

// Columns [begin, begin + columns) of b [depth, n] (or [n, depth] when transposed), [depth][kPanel].
template <typename Real>
void pack_matrix(const Real* b, bool transposed, std::int64_t depth, std::int64_t n, std::int64_t begin,
                 std::int64_t columns, Real* panel) {
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t j = 0; j < columns; ++j) {
      panel[k * kPanel + j] = transposed ? b[(begin + j) * depth + k] : b[k * n + begin + j];
    }
  }
}

ConvShape conv_shape(const Shape& x, const Shape& weights, const Shape& result, std::int64_t groups) {
  return {weights[1], x[2], x[3], weights[0] / groups, result[2], result[3], weights[2], weights[3]};
}

// One product of MatMul, a [m, depth] and b, into out [m, n].
template <typename Real>
void multiply(const MatMul& op, const Call<Real>& call, const Real* a, const Real* b, Real* out) {
  const std::int64_t depth = call.shape(0).back();
  const std::int64_t m = call.type.shape[call.type.shape.size() - 2];
  const std::int64_t n = call.type.shape.back();
  const std::int64_t panels = (n + kPanel - 1) / kPanel;
  const std::int64_t parts = row_parts(panels, m, call.threads);
  parallel_for(panels * parts, call.threads, [&](std::int64_t task) {
    const std::int64_t begin = task / parts * kPanel;
    const std::int64_t columns = std::min(kPanel, n - begin);
    const std::int64_t first = task % parts * m / parts;
    const std::int64_t last = (task % parts + 1) * m / parts;
    std::vector<Real> panel(static_cast<std::size_t>(depth * kPanel));
    pack_matrix(b, op.transpose_b, depth, n, begin, columns, panel.data());
    multiply_panel(a + first * depth, last - first, depth, panel.data(), columns,
                   [&](std::int64_t row, std::int64_t j, Real sum) {
                     if (call.has(2)) sum += call.data(2)[begin + j];
                     out[(first + row) * n + begin + j] = activate(op.activation, sum);
                   });
  });
}

}  // namespace

template <typename Real>
void compute(const Conv& op, const Call<Real>& call) {
  const ConvShape s = conv_shape(call.shape(0), call.shape(1), call.type.shape, op.groups);
  const std::int64_t panels = (s.pixels() + kPanel - 1) / kPanel;
  const std::int64_t images = call.shape(0)[0] * op.groups;  // of one group each
  const std::int64_t parts = row_parts(images * panels, s.out_channels, call.threads);
  parallel_for(images * panels * parts, call.threads, [&](std::int64_t task) {
    const std::int64_t image = task / parts / panels;
    const std::int64_t begin = task / parts % panels * kPanel;
    const std::int64_t columns = std::min(kPanel, s.pixels() - begin);
    const std::int64_t first = task % parts * s.out_channels / parts;
    const std::int64_t last = (task % parts + 1) * s.out_channels / parts;
    const std::int64_t channel = image % op.groups * s.out_channels + first;  // of the weights
    std::vector<Real> panel(static_cast<std::size_t>(s.depth() * kPanel));
    pack_image(op, s, call.data(0) + image * s.channels * s.height * s.width, begin, columns, panel.data());
    multiply_panel(call.data(1) + channel * s.depth(), last - first, s.depth(), panel.data(), columns,
                   [&](std::int64_t row, std::int64_t j, Real sum) {
                     const std::int64_t at = (image * s.out_channels + first + row) * s.pixels() + begin + j;
                     if (call.has(2)) sum += call.data(2)[channel + row];
                     if (call.has(3)) sum += call.data(3)[at];
                     call.out[static_cast<std::size_t>(at)] = activate(op.activation, sum);
                   });
  });
}

template <typename Real>
void compute(const MatMul& op, const Call<Real>& call) {
  const Shape& a = call.shape(0);
  const Shape& b = call.shape(1);
  const Shape batch(call.type.shape.begin(), call.type.shape.end() - 2);
  const std::int64_t matrix_a = a[a.size() - 2] * a.back();
  const std::int64_t matrix_b = b[b.size() - 2] * b.back();
  const std::int64_t matrix_out = call.type.shape[batch.size()] * call.type.shape.back();
  Shape strides_a = broadcast_strides({a.begin(), a.end() - 2}, batch);
  Shape strides_b = broadcast_strides({b.begin(), b.end() - 2}, batch);
  const std::int64_t row_a = strides_a.empty() ? 0 : strides_a.back();
  const std::int64_t row_b = strides_b.empty() ? 0 : strides_b.back();
  for_each_row<2>(batch, {strides_a, strides_b}, [&](std::int64_t at, const std::array<std::int64_t, 2>& offsets) {
    for (std::int64_t i = 0; i < (batch.empty() ? 1 : batch.back()); ++i) {
      multiply(op, call, call.data(0) + (offsets[0] + i * row_a) * matrix_a,
               call.data(1) + (offsets[1] + i * row_b) * matrix_b, call.out.data() + (at + i) * matrix_out);
    }
  });
}

template void compute(const Conv&, const Call<double>&);
template void compute(const Conv&, const Call<float>&);
template void compute(const MatMul&, const Call<double>&);
template void compute(const MatMul&, const Call<float>&);

}  // namespace deeper::ir::oracle
