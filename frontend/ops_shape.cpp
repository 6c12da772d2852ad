// Operators that move or rename elements without computing: Reshape and its relatives, Transpose, Concat, Expand, Tile,
// Identity, Dropout, Cast; and those that read a shape.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "frontend/element_type.h"
#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

// The shape that a Reshape's request gives: 0 keeps the input's extent (not with allowzero), one -1 is what remains.
ir::Shape resolve_reshape(const ir::Shape& from, std::vector<std::int64_t> request, bool allow_zero) {
  std::optional<std::size_t> open;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < request.size(); ++i) {
    if (request[i] == 0 && !allow_zero) {
      require(i < from.size(), "the shape [{}] keeps axis {} of an input of rank {}", fmt::join(request, ","), i,
              from.size());
      request[i] = from[i];
    }
    require(request[i] >= -1 && (request[i] != -1 || !open), "the shape [{}] is malformed", fmt::join(request, ","));
    if (request[i] == -1) {
      open = i;
    } else {
      require(!__builtin_mul_overflow(known, request[i], &known), "the shape [{}] is too large",
              fmt::join(request, ","));
    }
  }
  if (!open) return request;
  const std::int64_t count = ir::element_count(from);
  require(known > 0 && count % known == 0, "[{}] cannot become [{}]", fmt::join(from, ","), fmt::join(request, ","));
  request[*open] = count / known;
  return request;
}

void import_reshape(NodeContext& node) {
  const auto request = node.integers_since(5, "shape", 1);
  require(request.has_value(), "the shape is missing");
  const bool allow_zero = node.attributes().flag_or("allowzero", false);
  node.result(ir::Reshape{.shape = resolve_reshape(node.shape(node.input(0)), *request, allow_zero)}, {node.input(0)});
}

void import_flatten(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  std::int64_t axis = node.attributes().integer_or("axis", 1);
  require(axis >= -node.rank(x) && axis <= node.rank(x), "axis {} is outside rank {}", axis, node.rank(x));
  if (axis < 0) axis += node.rank(x);
  node.result(ir::Reshape{.shape = flattened(node.shape(x), axis)}, {x});
}

void import_squeeze(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  const ir::Shape& from = node.shape(x);
  const auto given = node.integers_since(13, "axes", 1);
  const std::vector<std::int64_t> axes = node.axes(given.value_or(std::vector<std::int64_t>{}), node.rank(x));
  ir::Shape shape;
  for (std::int64_t i = 0; i < node.rank(x); ++i) {
    const std::int64_t extent = from[static_cast<std::size_t>(i)];
    const bool named = std::ranges::binary_search(axes, i);
    require(!named || extent == 1, "axis {} of [{}] has extent {}, not 1", i, fmt::join(from, ","), extent);
    if (!(named || (!given && extent == 1))) shape.push_back(extent);
  }
  node.result(ir::Reshape{.shape = std::move(shape)}, {x});
}

void import_unsqueeze(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  const auto given = node.integers_since(13, "axes", 1);
  require(given.has_value(), "the axes are missing");
  ir::Shape shape = node.shape(x);
  require(given->size() <= 64, "{} axes are too many", given->size());
  for (const std::int64_t axis : node.axes(*given, node.rank(x) + static_cast<std::int64_t>(given->size()))) {
    shape.insert(shape.begin() + axis, 1);
  }
  node.result(ir::Reshape{.shape = std::move(shape)}, {x});
}

void import_transpose(NodeContext& node) {
  std::vector<std::int64_t> reversed(static_cast<std::size_t>(node.rank(node.input(0))));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  node.result(ir::Transpose{.perm = node.attributes().integers("perm").value_or(reversed)}, {node.input(0)});
}

void import_concat(NodeContext& node) {
  require(node.input_count() > 0, "has no inputs");
  const Attributes& attributes = node.attributes();
  const std::int64_t axis = node.opset() < 4 ? attributes.integer_or("axis", 1) : attributes.required_integer("axis");
  std::vector<ir::ValueId> inputs = node.inputs();
  const bool mixed = std::ranges::any_of(
      inputs, [&](ir::ValueId value) { return node.type(value).dtype != node.type(inputs[0]).dtype; });
  if (mixed && node.has_quantized()) {
    for (ir::ValueId& value : inputs) value = node.cast(value, ir::DataType::f32);
  }
  const ir::Concat concat{.axis = node.axis(axis, node.rank(inputs[0]))};
  node.result(concat, std::move(inputs));
}

void import_expand(NodeContext& node) {
  const ir::Shape request = node.integers(1, "shape");
  const std::optional<ir::Shape> shape = ir::broadcast(node.shape(node.input(0)), request);
  require(shape.has_value(), "{} does not expand to [{}]", to_string(node.type(node.input(0))),
          fmt::join(request, ","));
  node.result(ir::Expand{.shape = *shape}, {node.input(0)});
}

// [d0, d1] n times over is [1, d0, 1, d1] expanded to [n0, d0, n1, d1].
void import_tile(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  const std::vector<std::int64_t> repeats = node.integers(1, "repeats");
  const ir::Shape from = node.shape(x);
  require(repeats.size() == from.size(), "has {} repeats for {}", repeats.size(), to_string(node.type(x)));
  ir::Shape apart;
  ir::Shape expanded;
  ir::Shape shape;
  for (std::size_t i = 0; i < from.size(); ++i) {
    require(repeats[i] >= 0 && repeats[i] < (std::int64_t{1} << 31), "repeats {} times", repeats[i]);
    apart.insert(apart.end(), {1, from[i]});
    expanded.insert(expanded.end(), {repeats[i], from[i]});
    shape.push_back(repeats[i] * from[i]);
  }
  const ir::ValueId tiled = node.add(ir::Expand{.shape = expanded}, {node.reshape(x, apart)});
  node.result(ir::Reshape{.shape = shape}, {tiled});
}

void import_identity(NodeContext& node) { node.result(ir::Identity{}, {node.input(0)}); }

void import_dropout(NodeContext& node) {
  if (node.opset() >= 12 && node.has_input(2)) {
    const ir::Tensor training = node.required_constant(2, "training_mode");
    require(training.size() == 1 && training.at(0) == 0, "training_mode is not supported");
  }
  node.result(ir::Identity{}, {node.input(0)});
  if (!node.is_used(1)) return;
  const bool mask_is_bool = node.opset() >= 10;
  const ir::ValueId kept =
      node.add_constant(mask_is_bool ? ir::Tensor::integer(ir::DataType::boolean, {}, {1}) : ir::Tensor::scalar(1));
  node.result_at(1, ir::Expand{.shape = node.shape(node.input(0))}, {kept});
}

void import_cast(NodeContext& node) {
  const std::int64_t to = node.attributes().required_integer("to");
  require(to >= 0 && to <= 1000, "type {} is unknown", to);
  const ir::DataType type = require_imported_type(static_cast<std::int32_t>(to), "the result");
  node.result(ir::Cast{.to = type}, {node.input(0)});
}

// `to` as a text, up to opset 5.
void import_cast_by_name(NodeContext& node) {
  const std::string to = node.attributes().text_or("to", "");
  onnx::TensorProto::DataType type = onnx::TensorProto::UNDEFINED;
  require(onnx::TensorProto::DataType_Parse(to, &type), "type '{}' is unknown", to);
  node.result(ir::Cast{.to = require_imported_type(type, "the result")}, {node.input(0)});
}

void import_cast_like(NodeContext& node) {
  node.result(ir::Cast{.to = node.type(node.input(1)).dtype}, {node.input(0)});
}

void import_shape(NodeContext& node) {
  const ir::Shape& shape = node.shape(node.input(0));
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto position = [&](std::string_view name, std::int64_t fallback) {
    const std::int64_t value = node.attributes().integer_or(name, fallback);
    return value < -rank ? 0 : std::min(value < 0 ? value + rank : value, rank);
  };
  const std::int64_t start = position("start", 0);
  const std::int64_t end = std::max(start, position("end", rank));
  std::vector<std::int64_t> extents(shape.begin() + start, shape.begin() + end);
  node.constant_result(ir::Tensor::integer(ir::DataType::i64, {end - start}, std::move(extents)));
}

void import_size(NodeContext& node) {
  const std::int64_t count = ir::element_count(node.shape(node.input(0)));
  node.constant_result(ir::Tensor::integer(ir::DataType::i64, {}, {count}));
}

constexpr std::array kRows = {
    ImporterRow{"", "Reshape", 3, kOpen, import_reshape},     ImporterRow{"", "Flatten", 3, kOpen, import_flatten},
    ImporterRow{"", "Squeeze", 3, kOpen, import_squeeze},     ImporterRow{"", "Unsqueeze", 3, kOpen, import_unsqueeze},
    ImporterRow{"", "Transpose", 1, kOpen, import_transpose}, ImporterRow{"", "Concat", 3, kOpen, import_concat},
    ImporterRow{"", "Expand", 8, kOpen, import_expand},       ImporterRow{"", "Tile", 6, kOpen, import_tile},
    ImporterRow{"", "Identity", 3, kOpen, import_identity},   ImporterRow{"", "Dropout", 3, kOpen, import_dropout},
    ImporterRow{"", "Cast", 3, 5, import_cast_by_name},       ImporterRow{"", "Cast", 6, kOpen, import_cast},
    ImporterRow{"", "CastLike", 15, kOpen, import_cast_like}, ImporterRow{"", "Shape", 1, kOpen, import_shape},
    ImporterRow{"", "Size", 1, kOpen, import_size},
};

}  // namespace

std::span<const ImporterRow> shape_rows() { return kRows; }

}  // namespace deeper::frontend
