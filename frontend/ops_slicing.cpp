// Operators that take pieces of a value or put a border around it: Slice, Split, Gather, Pad.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

using Integers = std::vector<std::int64_t>;

// --- Slice ---

struct Range {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

// numpy's rule: negative positions count from the end, positions outside are clamped.
Range resolve_range(std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
  require(step != 0, "a step is 0");
  step = std::clamp(step, -extent - 1, extent + 1);
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  const std::int64_t low = step > 0 ? 0 : -1;
  const std::int64_t high = step > 0 ? extent : extent - 1;
  start = std::clamp(start, std::max<std::int64_t>(low, 0), std::max<std::int64_t>(high, 0));
  end = std::clamp(end, low, high);
  const std::int64_t span = step > 0 ? end - start : start - end;
  const std::int64_t stride = step > 0 ? step : -step;
  if (span <= 0 || extent == 0) return {.start = 0, .step = 1, .count = 0};
  return {.start = start, .step = step, .count = (span + stride - 1) / stride};
}

ir::Slice whole(const ir::Shape& shape) {
  return {.starts = Integers(shape.size(), 0), .steps = Integers(shape.size(), 1), .shape = shape};
}

void slice_result(NodeContext& node, const Integers& starts, const Integers& ends, Integers axes,
                  const Integers& steps) {
  const ir::ValueId x = node.input(0);
  const ir::Shape& shape = node.shape(x);
  require(starts.size() == ends.size() && starts.size() == axes.size() && starts.size() == steps.size(),
          "has {} starts, {} ends, {} axes and {} steps", starts.size(), ends.size(), axes.size(), steps.size());
  ir::Slice slice = whole(shape);
  std::vector<bool> seen(shape.size(), false);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(node.axis(axes[i], node.rank(x)));
    require(!seen[axis], "axis {} is named twice", axis);
    seen[axis] = true;
    const Range range = resolve_range(shape[axis], starts[i], ends[i], steps[i]);
    slice.starts[axis] = range.start;
    slice.steps[axis] = range.step;
    slice.shape[axis] = range.count;
  }
  node.result(std::move(slice), {x});
}

Integers first_axes(std::size_t count) {
  Integers axes(count);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

void import_slice_attributes(NodeContext& node) {
  const auto starts = node.attributes().integers("starts");
  const auto ends = node.attributes().integers("ends");
  require(starts && ends, "attribute 'starts' or 'ends' is missing");
  slice_result(node, *starts, *ends, node.attributes().integers("axes").value_or(first_axes(starts->size())),
               Integers(starts->size(), 1));
}

void import_slice(NodeContext& node) {
  const Integers starts = node.integers(1, "starts");
  const Integers ends = node.integers(2, "ends");
  slice_result(node, starts, ends, node.has_input(3) ? node.integers(3, "axes") : first_axes(starts.size()),
               node.has_input(4) ? node.integers(4, "steps") : Integers(starts.size(), 1));
}

// --- Split ---

// Extents of the pieces: as told, else equal, a smaller one last where the opset allows it.
Integers split_extents(const NodeContext& node, std::int64_t extent) {
  const std::optional<Integers> told =
      node.opset() < 2 && node.has_input(1) ? node.integers(1, "split") : node.integers_since(13, "split", 1);
  if (told && !told->empty()) {
    std::int64_t sum = 0;
    for (const std::int64_t one : *told) {
      require(one >= 0 && one <= extent, "a piece of {} from {} elements", one, extent);
      sum += one;
    }
    require(sum == extent && told->size() == node.output_count(), "{} outputs of [{}] from {} elements",
            node.output_count(), fmt::join(*told, ","), extent);
    return *told;
  }
  const auto count = static_cast<std::int64_t>(node.output_count());
  require(count > 0 && node.attributes().integer_or("num_outputs", count) == count, "num_outputs is not {}", count);
  require(node.opset() >= 18 || extent % count == 0, "{} elements do not split into {}", extent, count);
  const std::int64_t piece = (extent + count - 1) / count;
  Integers extents(static_cast<std::size_t>(count), piece);
  extents.back() = extent - piece * (count - 1);
  require(extents.back() >= 0, "{} elements do not split into {}", extent, count);
  return extents;
}

void import_split(NodeContext& node) {
  const ir::ValueId x = node.input(0);
  const ir::Shape shape = node.shape(x);
  const auto axis = static_cast<std::size_t>(node.axis(node.attributes().integer_or("axis", 0), node.rank(x)));
  const Integers extents = split_extents(node, shape[axis]);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    ir::Slice slice = whole(shape);
    slice.starts[axis] = start;
    slice.shape[axis] = extents[i];
    start += extents[i];
    if (node.is_used(i)) node.result_at(i, std::move(slice), {x});
  }
}

// --- Gather ---

void import_gather(NodeContext& node) {
  const ir::ValueId data = node.input(0);
  const ir::ValueId indices = node.input(1);
  const std::int64_t axis = node.axis(node.attributes().integer_or("axis", 0), node.rank(data));
  const std::int64_t extent = node.shape(data)[static_cast<std::size_t>(axis)];
  const std::optional<ir::Tensor> known = node.constant(indices);
  require(known.has_value(), "the indices (input 1) must be constant");
  for (std::int64_t i = 0; !known->is_f32() && i < known->size(); ++i) {
    const auto index = known->ints()[static_cast<std::size_t>(i)];
    require(index >= -extent && index < extent, "index {} is outside {} elements", index, extent);
  }
  node.result(ir::Gather{.axis = axis}, {data, indices});
}

// --- Pad ---

struct PadRequest {
  std::string mode;
  Integers pads;
  Integers axes;
  float value = 0;
};

PadRequest read_pad(const NodeContext& node) {
  const Attributes& attributes = node.attributes();
  PadRequest request{.mode = attributes.text_or("mode", "constant"), .pads = {}, .axes = {}};
  const auto rank = static_cast<std::size_t>(node.rank(node.input(0)));
  request.axes = first_axes(rank);
  if (node.opset() < 11) {
    const auto pads = attributes.integers(node.opset() < 2 ? "paddings" : "pads");
    require(pads.has_value(), "attribute 'pads' is missing");
    request.pads = *pads;
    request.value = attributes.number_or("value", 0);
    return request;
  }
  request.pads = node.integers(1, "pads");
  if (node.has_input(2)) request.value = node.number(2, "constant_value");
  if (node.opset() >= 18 && node.has_input(3)) request.axes = node.integers(3, "axes");
  return request;
}

ir::PadMode pad_mode(const std::string& mode) {
  if (mode == "constant") return ir::PadMode::constant;
  if (mode == "reflect") return ir::PadMode::reflect;
  require(mode == "edge", "mode '{}' is not supported", mode);
  return ir::PadMode::edge;
}

void import_pad(NodeContext& node) {
  const PadRequest request = read_pad(node);
  const ir::ValueId x = node.input(0);
  const auto rank = static_cast<std::size_t>(node.rank(x));
  require(request.pads.size() == 2 * request.axes.size(), "has {} pads for {} axes", request.pads.size(),
          request.axes.size());
  ir::Pad pad{
      .mode = pad_mode(request.mode), .begins = Integers(rank, 0), .ends = Integers(rank, 0), .value = request.value};
  node.axes(request.axes, node.rank(x));
  for (std::size_t i = 0; i < request.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(node.axis(request.axes[i], node.rank(x)));
    pad.begins[axis] = request.pads[i];
    pad.ends[axis] = request.pads[i + request.axes.size()];
  }
  node.result(std::move(pad), {x});
}

constexpr std::array kRows = {
    ImporterRow{"", "Slice", 3, 9, import_slice_attributes},
    ImporterRow{"", "Slice", 10, kOpen, import_slice},
    ImporterRow{"", "Split", 3, kOpen, import_split},
    ImporterRow{"", "Gather", 3, kOpen, import_gather},
    ImporterRow{"", "Pad", 3, kOpen, import_pad},
};

}  // namespace

std::span<const ImporterRow> slicing_rows() { return kRows; }

}  // namespace deeper::frontend
