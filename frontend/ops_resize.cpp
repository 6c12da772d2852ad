// Resize and Upsample.
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include "frontend/decode_tensor.h"
#include "frontend/importer_table.h"

namespace deeper::frontend {
namespace {

ir::ResizeMode resize_mode(const std::string& mode) {
  if (mode == "nearest") return ir::ResizeMode::nearest;
  require(mode == "linear" || mode == "bilinear", "mode '{}' is not supported", mode);
  return ir::ResizeMode::linear;
}

ir::Coordinates coordinates(const std::string& name, ir::ResizeMode mode) {
  if (name == "half_pixel") return ir::Coordinates::half_pixel;
  if (name == "pytorch_half_pixel") return ir::Coordinates::pytorch_half_pixel;
  if (name == "align_corners") return ir::Coordinates::align_corners;
  if (name == "asymmetric") return ir::Coordinates::asymmetric;
  if (name == "half_pixel_symmetric") return ir::Coordinates::half_pixel_symmetric;
  const bool same_as_half_pixel = name == "tf_half_pixel_for_nn" && mode == ir::ResizeMode::linear;
  require(same_as_half_pixel, "coordinate_transformation_mode '{}' is not supported", name);
  return ir::Coordinates::half_pixel;
}

ir::NearestRounding rounding(const std::string& name) {
  if (name == "round_prefer_floor") return ir::NearestRounding::round_prefer_floor;
  if (name == "round_prefer_ceil") return ir::NearestRounding::round_prefer_ceil;
  if (name == "floor") return ir::NearestRounding::floor;
  require(name == "ceil", "nearest_mode '{}' is not supported", name);
  return ir::NearestRounding::ceil;
}

// Scales and result of a resize by factors; the extents round down in single precision, as engines do.
void apply_scales(ir::Resize& resize, const ir::Shape& from, const std::vector<float>& scales) {
  require(scales.size() == from.size(), "has {} scales for an input of rank {}", scales.size(), from.size());
  resize.scales = scales;
  for (std::size_t i = 0; i < from.size(); ++i) {
    require(scales[i] > 0 && std::isfinite(scales[i]), "scale {} is not positive", scales[i]);
    const float extent = std::floor(scales[i] * static_cast<float>(from[i]));
    require(extent <= static_cast<float>(kMostElements), "scale {} of {} elements is too large", scales[i], from[i]);
    resize.shape.push_back(static_cast<std::int64_t>(extent));
  }
}

void apply_sizes(ir::Resize& resize, const ir::Shape& from, const std::vector<std::int64_t>& sizes) {
  require(sizes.size() == from.size(), "has {} sizes for an input of rank {}", sizes.size(), from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    require(sizes[i] > 0 && from[i] > 0, "resizes {} elements to {}", from[i], sizes[i]);
    resize.scales.push_back(static_cast<float>(sizes[i]) / static_cast<float>(from[i]));
  }
  resize.shape = sizes;
}

// Entries for every axis from those for `axes` (opset 18), `fill` or the input's extent for the others.
template <typename T>
std::vector<T> spread(const NodeContext& node, const std::vector<T>& entries, std::vector<T> others) {
  const auto axes = node.opset() >= 18 ? node.attributes().integers("axes") : std::nullopt;
  if (!axes || axes->empty()) return entries;
  require(entries.size() == axes->size(), "has {} entries for {} axes", entries.size(), axes->size());
  for (std::size_t i = 0; i < axes->size(); ++i) {
    others[static_cast<std::size_t>(node.axis((*axes)[i], static_cast<std::int64_t>(others.size())))] = entries[i];
  }
  return others;
}

// Opset 11 and later: operands x, roi, scales, sizes.
void import_resize(NodeContext& node) {
  const Attributes& attributes = node.attributes();
  const ir::ValueId x = node.input(0);
  const ir::Shape from = node.shape(x);
  require(!attributes.flag_or("antialias", false), "antialias is not supported");
  const std::string policy = attributes.text_or("keep_aspect_ratio_policy", "stretch");
  require(policy == "stretch", "keep_aspect_ratio_policy '{}' is not supported", policy);
  ir::Resize resize{.mode = resize_mode(attributes.text_or("mode", "nearest"))};
  resize.coordinates = coordinates(attributes.text_or("coordinate_transformation_mode", "half_pixel"), resize.mode);
  resize.rounding = rounding(attributes.text_or("nearest_mode", "round_prefer_floor"));
  const std::vector<float> scales = node.has_input(2) ? node.numbers(2, "scales") : std::vector<float>{};
  if (!scales.empty()) {
    apply_scales(resize, from, spread(node, scales, std::vector<float>(from.size(), 1.0F)));
  } else {
    require(node.has_input(3), "neither scales nor sizes are given");
    apply_sizes(resize, from, spread(node, node.integers(3, "sizes"), from));
  }
  node.result(std::move(resize), {x});
}

// Upsample, and Resize of opset 10: asymmetric coordinates, rounded down.
void resize_by_scales(NodeContext& node, const std::vector<float>& scales) {
  ir::Resize resize{.mode = resize_mode(node.attributes().text_or("mode", "nearest")),
                    .coordinates = ir::Coordinates::asymmetric,
                    .rounding = ir::NearestRounding::floor};
  apply_scales(resize, node.shape(node.input(0)), scales);
  node.result(std::move(resize), {node.input(0)});
}

void import_upsample_sides(NodeContext& node) {
  require(node.rank(node.input(0)) == 4, "the input has rank {}, must have 4", node.rank(node.input(0)));
  resize_by_scales(node, {1.0F, 1.0F, node.attributes().number_or("height_scale", 0.0F),
                          node.attributes().number_or("width_scale", 0.0F)});
}

void import_upsample_attribute(NodeContext& node) {
  const auto scales = node.attributes().numbers("scales");
  require(scales.has_value(), "attribute 'scales' is missing");
  resize_by_scales(node, *scales);
}

void import_upsample(NodeContext& node) { resize_by_scales(node, node.numbers(1, "scales")); }

constexpr std::array kRows = {
    ImporterRow{"", "Upsample", 3, 6, import_upsample_sides},
    ImporterRow{"", "Upsample", 7, 8, import_upsample_attribute},
    ImporterRow{"", "Upsample", 9, 9, import_upsample},
    ImporterRow{"", "Resize", 10, 10, import_upsample},
    ImporterRow{"", "Resize", 11, kOpen, import_resize},
};

}  // namespace

std::span<const ImporterRow> resize_rows() { return kRows; }

}  // namespace deeper::frontend
