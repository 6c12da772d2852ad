// MaxPool, AveragePool and the global pools.
#include <array>
#include <numeric>

#include "frontend/importer_table.h"
#include "frontend/windows.h"

namespace deeper::frontend {
namespace {

// Pools are defined on floating point; 8-bit integers (opset 12) pass through f32.
void pool_result(NodeContext& node, const ir::Pool& pool) {
  const ir::ValueId x = node.input(0);
  const ir::DataType type = node.type(x).dtype;
  const ir::ValueId image = as_image(node, node.cast(x, ir::DataType::f32));
  if (type == ir::DataType::f32) return image_result(node, x, pool, {image});
  const ir::ValueId pooled = node.add(pool, {image});
  const ir::Shape& shape = node.shape(pooled);
  const ir::Shape flat = node.rank(x) == 3 ? ir::Shape{shape[0], shape[1], shape[3]} : shape;
  node.result(ir::Cast{.to = type}, {node.reshape(pooled, flat)});
}

ir::Pool read_pool(const NodeContext& node, ir::PoolKind kind) {
  const Window window = read_window(node, node.shape(node.input(0)), std::nullopt);
  return {.kind = kind,
          .kernel = window.kernel,
          .strides = window.strides,
          .dilations = window.dilations,
          .pads = window.pads,
          .ceil_mode = window.ceil_mode};
}

void import_max_pool(NodeContext& node) {
  require(!node.is_used(1), "output 'Indices' is not supported");
  pool_result(node, read_pool(node, ir::PoolKind::max));
}

void import_average_pool(NodeContext& node) {
  ir::Pool pool = read_pool(node, ir::PoolKind::average);
  pool.count_include_pad = node.attributes().flag_or("count_include_pad", false);
  pool_result(node, pool);
}

void import_global(NodeContext& node, ir::ReduceKind kind) {
  const ir::ValueId x = node.input(0);
  require(node.rank(x) >= 2, "the input has rank {}, must have 2 or more", node.rank(x));
  std::vector<std::int64_t> axes(static_cast<std::size_t>(node.rank(x) - 2));
  std::iota(axes.begin(), axes.end(), 2);
  node.result(ir::Reduce{.kind = kind, .axes = std::move(axes), .keepdims = true}, {x});
}

void import_global_average_pool(NodeContext& node) { import_global(node, ir::ReduceKind::mean); }
void import_global_max_pool(NodeContext& node) { import_global(node, ir::ReduceKind::max); }

constexpr std::array kRows = {
    ImporterRow{"", "MaxPool", 3, kOpen, import_max_pool},
    ImporterRow{"", "AveragePool", 3, kOpen, import_average_pool},
    ImporterRow{"", "GlobalAveragePool", 1, kOpen, import_global_average_pool},
    ImporterRow{"", "GlobalMaxPool", 1, kOpen, import_global_max_pool},
};

}  // namespace

std::span<const ImporterRow> pooling_rows() { return kRows; }

}  // namespace deeper::frontend
