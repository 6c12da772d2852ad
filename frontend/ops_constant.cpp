// Values that depend on no input: Constant, ConstantOfShape, Range.
#include <array>
#include <cmath>

#include "frontend/decode_tensor.h"
#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

// Ranges are indices and coordinates.
constexpr std::int64_t kLongestRange = 1 << 20;

void import_constant(NodeContext& node) {
  const Attributes& attributes = node.attributes();
  if (const onnx::TensorProto* tensor = attributes.tensor("value")) return node.constant_result(node.decode(*tensor));
  if (const onnx::SparseTensorProto* tensor = attributes.sparse_tensor("sparse_value")) {
    return node.constant_result(node.decode(*tensor));
  }
  if (const auto value = attributes.number("value_float")) return node.constant_result(ir::Tensor::scalar(*value));
  if (const auto value = attributes.integer("value_int")) {
    return node.constant_result(ir::Tensor::integer(ir::DataType::i64, {}, {*value}));
  }
  if (auto values = attributes.numbers("value_floats")) {
    const auto count = static_cast<std::int64_t>(values->size());
    return node.constant_result(ir::Tensor::f32({count}, *std::move(values)));
  }
  if (auto values = attributes.integers("value_ints")) {
    const auto count = static_cast<std::int64_t>(values->size());
    return node.constant_result(ir::Tensor::integer(ir::DataType::i64, {count}, *std::move(values)));
  }
  throw ModelError("has no value of a supported form");
}

void import_constant_of_shape(NodeContext& node) {
  const ir::Shape shape = node.integers(0, "shape");
  const onnx::TensorProto* attribute = node.attributes().tensor("value");
  const ir::Tensor value = attribute != nullptr ? node.decode(*attribute) : ir::Tensor::scalar(0);
  require(value.size() == 1, "attribute 'value' has {} elements, must have one", value.size());
  checked_element_count(shape);
  node.result(ir::Expand{.shape = shape}, {node.add_constant(value.reshaped({}))});
}

void import_range(NodeContext& node) {
  const ir::Tensor start = node.required_constant(0, "start");
  const ir::Tensor limit = node.required_constant(1, "limit");
  const ir::Tensor delta = node.required_constant(2, "delta");
  require(start.dtype() == limit.dtype() && start.dtype() == delta.dtype() && start.size() == 1 && limit.size() == 1 &&
              delta.size() == 1,
          "start, limit and delta are {}, {} and {}", to_string(start.type()), to_string(limit.type()),
          to_string(delta.type()));
  const double length = std::ceil((limit.at(0) - start.at(0)) / delta.at(0));
  require(length <= static_cast<double>(kLongestRange), "start {}, limit {} and delta {} give too many elements",
          start.at(0), limit.at(0), delta.at(0));
  const auto count = static_cast<std::int64_t>(std::max(length, 0.0));
  if (start.is_f32()) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(start.at(0) + static_cast<double>(i) * delta.at(0));
    }
    return node.constant_result(ir::Tensor::f32({count}, std::move(values)));
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(count), start.ints()[0]);
  for (std::size_t i = 1; i < values.size(); ++i) values[i] = values[i - 1] + delta.ints()[0];
  node.constant_result(ir::Tensor::integer(start.dtype(), {count}, std::move(values)));
}

constexpr std::array kRows = {
    ImporterRow{"", "Constant", 1, kOpen, import_constant},
    ImporterRow{"", "ConstantOfShape", 9, kOpen, import_constant_of_shape},
    ImporterRow{"", "Range", 11, kOpen, import_range},
};

}  // namespace

std::span<const ImporterRow> constant_rows() { return kRows; }

}  // namespace deeper::frontend
