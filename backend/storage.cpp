#include "backend/storage.h"

#include <algorithm>
#include <limits>

#include "backend/layout.h"
#include "ir/error.h"

namespace deeper::backend {

bool same_place(const ir::Shape& shape, const Place& a, const Place& b) {
  return a.block == b.block && a.offset == b.offset && same_strides(shape, a.strides, b.strides);
}

namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

class Assignment {
 public:
  explicit Assignment(const ir::Graph& graph)
      : graph_(graph), last_use_(graph.value_capacity(), -1), buffer_blocks_(graph.buffers().size()) {
    storage_.places.resize(graph.value_capacity());
    storage_.views.resize(graph.value_capacity());
  }

  Storage run() {
    find_last_uses();
    for (std::uint32_t port = 0; port < graph_.inputs().size(); ++port) place_input(port);
    for (const ir::NodeId id : graph_.order()) {
      place_result(graph_.node(id));
      ++position_;
    }
    for (std::uint32_t port = 0; port < graph_.outputs().size(); ++port) place_output(port);
    return std::move(storage_);
  }

 private:
  void find_last_uses() {
    std::int64_t position = 0;
    for (const ir::NodeId id : graph_.order()) {
      for (const ir::ValueId input : graph_.node(id).inputs) {
        if (input.valid()) last_use_[input.index] = position;
      }
      ++position;
    }
    for (const ir::Output& output : graph_.outputs()) last_use_[output.value.index] = kForever;
  }

  std::uint32_t new_block(Block block) {
    storage_.blocks.push_back(block);
    residents_.emplace_back();
    return static_cast<std::uint32_t>(storage_.blocks.size() - 1);
  }

  void settle(ir::ValueId value, Place place) {
    residents_[place.block].push_back(value);
    storage_.places[value.index] = std::move(place);
  }

  void place_input(std::uint32_t port) {
    const ir::ValueId value = graph_.inputs()[port];
    const ir::Shape& shape = graph_.shape(value);
    const auto block = new_block({.elements = ir::element_count(shape), .space = runtime::Space::input, .port = port});
    settle(value, {.block = block, .offset = 0, .strides = ir::row_major_strides(shape)});
  }

  void place_result(const ir::Node& node) {
    const ir::ValueId value = node.output;
    std::optional<Place> view = std::visit([&](const auto& op) { return view_of(node, op); }, node.op);
    if (const auto& slot = graph_.value(value).slot) {
      Place place = slot_place(value, *slot);
      storage_.views[value.index] = view && same_place(graph_.shape(value), *view, place);
      return settle(value, std::move(place));
    }
    if (view) {
      storage_.views[value.index] = true;
      return settle(value, std::move(*view));
    }
    if (std::optional<Place> reused = reused_place(node)) return settle(value, std::move(*reused));
    const ir::Shape& shape = graph_.shape(value);
    const auto block = new_block({.elements = ir::element_count(shape)});
    settle(value, {.block = block, .offset = 0, .strides = layout_strides(shape)});
  }

  Place slot_place(ir::ValueId value, const ir::Slot& slot) {
    const ir::Shape& shape = graph_.shape(value);
    const std::int64_t channels = graph_.buffer(slot.buffer).channels;
    auto& block = buffer_blocks_.at(slot.buffer.index);
    if (!block) block = new_block({.elements = shape[0] * channels * shape[2] * shape[3]});
    return {.block = *block, .offset = slot.channel, .strides = image_strides(shape, channels)};
  }

  const Place* place_of(ir::ValueId value) const {
    const auto& place = storage_.places.at(value.index);
    return place ? &*place : nullptr;
  }

  // A view is taken only where it leaves the value in the engine's own layout, so that any kernel can read it.
  std::optional<Place> conforming_view(const ir::Node& node, const Place& from, std::int64_t offset,
                                       const ir::Shape& strides) const {
    const ir::Shape& shape = graph_.shape(node.output);
    const std::optional<std::int64_t> stride = pixel_stride(shape, strides);
    if (!stride) return std::nullopt;
    ir::Shape normalized = shape.size() == 4 ? image_strides(shape, *stride) : ir::row_major_strides(shape);
    return Place{.block = from.block, .offset = from.offset + offset, .strides = std::move(normalized)};
  }

  std::optional<Place> view_of(const ir::Node& node, const ir::Reshape& op) const {
    const Place* from = place_of(node.inputs[0]);
    if (from == nullptr) return std::nullopt;
    auto strides = reshaped_strides(graph_.shape(node.inputs[0]), from->strides, op.shape);
    if (!strides) return std::nullopt;
    return conforming_view(node, *from, 0, *strides);
  }

  std::optional<Place> view_of(const ir::Node& node, const ir::Transpose& op) const {
    const Place* from = place_of(node.inputs[0]);
    if (from == nullptr) return std::nullopt;
    ir::Shape strides(op.perm.size());
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
      strides[axis] = from->strides[static_cast<std::size_t>(op.perm[axis])];
    }
    return conforming_view(node, *from, 0, strides);
  }

  std::optional<Place> view_of(const ir::Node& node, const ir::Slice& op) const {
    const Place* from = place_of(node.inputs[0]);
    if (from == nullptr) return std::nullopt;
    ir::Shape strides = from->strides;
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
      if (op.steps[axis] < 0 && op.shape[axis] > 1) return std::nullopt;
      offset += op.starts[axis] * strides[axis];
      strides[axis] *= op.steps[axis];
    }
    return conforming_view(node, *from, offset, strides);
  }

  std::optional<Place> view_of(const ir::Node& node, const ir::Identity&) const {
    const Place* from = place_of(node.inputs[0]);
    if (from == nullptr) return std::nullopt;
    return conforming_view(node, *from, 0, from->strides);
  }

  std::optional<Place> view_of(const ir::Node&, const auto&) const { return std::nullopt; }

  // Operands whose elements the result may replace one by one.
  static std::vector<std::size_t> replaceable(const ir::Node& node) {
    if (std::holds_alternative<ir::Conv>(node.op)) return {3};
    if (std::holds_alternative<ir::Unary>(node.op) || std::holds_alternative<ir::Cast>(node.op) ||
        std::holds_alternative<ir::BatchNorm>(node.op)) {
      return {0};
    }
    if (std::holds_alternative<ir::Binary>(node.op)) return {0, 1};
    return {};
  }

  bool dies_here(const Place& place) const {
    return std::ranges::all_of(residents_[place.block],
                               [&](ir::ValueId value) { return last_use_[value.index] <= position_; });
  }

  std::optional<Place> reused_place(const ir::Node& node) const {
    const ir::Shape& shape = graph_.shape(node.output);
    for (const std::size_t index : replaceable(node)) {
      if (index >= node.inputs.size() || !node.inputs[index].valid()) continue;
      const ir::ValueId operand = node.inputs[index];
      const Place* place = place_of(operand);
      if (place == nullptr || storage_.blocks[place->block].space != runtime::Space::arena) continue;
      const auto is_shared = std::ranges::find(buffer_blocks_, std::optional(place->block)) != buffer_blocks_.end();
      const bool fits = !is_shared && graph_.shape(operand) == shape && is_dense(shape, place->strides) &&
                        storage_.blocks[place->block].elements == ir::element_count(shape);
      if (!fits || !dies_here(*place)) continue;
      const bool read_elsewhere = std::ranges::any_of(node.inputs, [&](const ir::ValueId& other) {
        if (&other == &node.inputs[index] || !other.valid() || place_of(other) == nullptr) return false;
        const bool elementwise = !std::holds_alternative<ir::Conv>(node.op) && other == operand;
        return place_of(other)->block == place->block && !elementwise;
      });
      if (!read_elsewhere) return *place;
    }
    return std::nullopt;
  }

  // Where the value's block is nothing but the value in row-major order, the model's output itself is the block.
  void place_output(std::uint32_t port) {
    const ir::ValueId value = graph_.outputs()[port].value;
    const Place* place = place_of(value);
    if (place == nullptr) return;
    Block& block = storage_.blocks[place->block];
    const ir::Shape& shape = graph_.shape(value);
    if (block.space != runtime::Space::arena || block.elements != ir::element_count(shape)) return;
    if (!is_row_major(shape, place->strides)) return;
    block.space = runtime::Space::output;
    block.port = port;
  }

  const ir::Graph& graph_;
  Storage storage_;
  std::vector<std::vector<ir::ValueId>> residents_;  // by block
  std::vector<std::int64_t> last_use_;               // by value; position in the order
  std::vector<std::optional<std::uint32_t>> buffer_blocks_;
  std::int64_t position_ = 0;
};

}  // namespace

Storage assign_storage(const ir::Graph& graph) { return Assignment(graph).run(); }

}  // namespace deeper::backend
