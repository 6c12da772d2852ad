// BatchNormalization, LRN and LpNormalization.
#include <array>

#include "frontend/decode_tensor.h"
#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

// Statistics per element instead of per channel (`spatial` = 0 before opset 9).
void batch_norm_per_element(NodeContext& node, float epsilon) {
  using enum ir::BinaryFunction;
  const ir::ValueId centred = node.binary(sub, node.input(0), node.input(3));
  const ir::ValueId deviation =
      node.unary(ir::Function::sqrt, node.binary(add, node.input(4), node.add_scalar(epsilon)));
  const ir::ValueId scaled = node.binary(mul, node.binary(div, centred, deviation), node.input(1));
  node.result(ir::Binary{.function = add}, {scaled, node.input(2)});
}

void import_batch_normalization(NodeContext& node) {
  require(!node.attributes().flag_or("training_mode", false), "training_mode is not supported");
  for (std::size_t i = 1; i < node.output_count(); ++i) {
    require(!node.is_used(i), "output {} exists in training only", i);
  }
  const float epsilon = node.attributes().number_or("epsilon", 1e-5F);
  const bool per_element = !node.attributes().flag_or("spatial", true) && node.rank(node.input(0)) > 2;
  if (per_element) return batch_norm_per_element(node, epsilon);
  std::vector<ir::ValueId> inputs = {node.input(0)};
  for (std::size_t i = 1; i < 5; ++i) inputs.push_back(node.input(i));
  node.result(ir::BatchNorm{.epsilon = epsilon}, std::move(inputs));
}

void import_lrn(NodeContext& node) {
  const Attributes& attributes = node.attributes();
  const std::int64_t size = attributes.required_integer("size");
  require(size >= 1 && size <= kMostElements, "size {} is not possible", size);
  node.result(ir::Lrn{.size = size,
                      .alpha = attributes.number_or("alpha", 1e-4F),
                      .beta = attributes.number_or("beta", 0.75F),
                      .bias = attributes.number_or("bias", 1.0F)},
              {node.input(0)});
}

void import_lp_normalization(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  const std::int64_t axis = node.axis(node.attributes().integer_or("axis", -1), node.rank(x));
  const std::int64_t p = node.attributes().integer_or("p", 2);
  require(p == 1 || p == 2, "p = {} is not supported, only 1 and 2", p);
  const ir::ValueId power = p == 1 ? node.unary(ir::Function::abs, x) : node.binary(ir::BinaryFunction::mul, x, x);
  ir::ValueId norm = node.add(ir::Reduce{.kind = ir::ReduceKind::sum, .axes = {axis}, .keepdims = true}, {power});
  if (p == 2) norm = node.unary(ir::Function::sqrt, norm);
  node.result(ir::Binary{.function = ir::BinaryFunction::div}, {x, norm});
}

constexpr std::array kRows = {
    ImporterRow{"", "BatchNormalization", 3, kOpen, import_batch_normalization},
    ImporterRow{"", "LRN", 3, kOpen, import_lrn},
    ImporterRow{"", "LpNormalization", 3, kOpen, import_lp_normalization},
};

}  // namespace

std::span<const ImporterRow> normalization_rows() { return kRows; }

}  // namespace deeper::frontend
