// MaxPool, AveragePool and the global pools.
#include <array>

#include "frontend/importer_table.h"
#include "frontend/windows.h"

namespace deeper::frontend {
namespace {

// Pools are defined on floating point; 8-bit integers (opset 12) pass through f32.
void import_pool(NodeContext& node, ir::PoolKind kind) {
  const ir::ValueId x = node.input(0);
  const ir::DataType type = node.type(x).dtype;
  const ir::Pool pool = read_pool(node, kind);
  const ir::ValueId image = as_image(node, node.cast(x, ir::DataType::f32));
  if (type == ir::DataType::f32) return image_result(node, x, pool, {image});
  node.result(ir::Cast{.to = type}, {from_image(node, node.add(pool, {image}), node.rank(x))});
}

void import_max_pool(NodeContext& node) {
  require(!node.is_used(1), "output 'Indices' is not supported");
  import_pool(node, ir::PoolKind::max);
}

void import_average_pool(NodeContext& node) { import_pool(node, ir::PoolKind::average); }

void import_global(NodeContext& node, ir::ReduceKind kind) {
  const ir::ValueId x = node.input(0);
  node.result(ir::Reduce{.kind = kind, .axes = spatial_axes(node.rank(x)), .keepdims = true}, {x});
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
