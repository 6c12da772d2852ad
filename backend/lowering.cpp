#include "backend/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backend/layout.h"
#include "backend/onednn/compat.h"
#include "backend/placement.h"
#include "ir/error.h"
#include "ir/match.h"

namespace deeper::backend {
namespace {

std::vector<float> as_floats(const ir::Tensor& tensor) {
  if (tensor.is_f32()) return {tensor.floats().begin(), tensor.floats().end()};
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(tensor.size()));
  for (const std::int64_t element : tensor.ints()) result.push_back(static_cast<float>(element));
  return result;
}

// Row-major elements of an image in NHWC.
std::vector<float> to_nhwc(std::span<const float> elements, const ir::Shape& shape) {
  std::vector<float> result(elements.size());
  const std::int64_t pixels = shape[2] * shape[3];
  std::size_t next = 0;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::int64_t c = 0; c < shape[1]; ++c) {
        result[next++] = elements[static_cast<std::size_t>((n * shape[1] + c) * pixels + pixel)];
      }
    }
  }
  return result;
}

std::uint64_t byte_extent(const ir::Shape& shape, const ir::Shape& strides) {
  return static_cast<std::uint64_t>(extent(shape, strides)) * sizeof(float);
}

}  // namespace

Lowering::Lowering(const ir::Graph& graph, const Target& target, const CompileOptions& options)
    : graph_(graph), target_(target), alone_(target), options_(options), storage_(assign_storage(graph)) {
  alone_.threads = 1;
}

Ref Lowering::place_ref(ir::ValueId value) const {
  const auto& place = storage_.places.at(value.index);
  DEEPER_CHECK(place.has_value(), fmt::format("finding where value '{}' lies", graph_.value(value).name));
  ir::Shape shape = graph_.shape(value);
  std::uint64_t advance = 0;
  if (images_ > 1) {
    shape.at(0) = 1;
    advance = static_cast<std::uint64_t>(place->strides.at(0)) * sizeof(float);
  }
  return {.operand = {.space = runtime::Space::arena,
                      .port = 0,
                      .offset = static_cast<std::uint64_t>(place->offset) * sizeof(float),
                      .bytes = byte_extent(shape, place->strides),
                      .advance = advance,
                      .images = static_cast<std::uint32_t>(images_),
                      .shape = shape,
                      .strides = place->strides,
                      .value = graph_.value(value).name},
          .block = place->block};
}

Ref Lowering::constant_ref(ir::ValueId value, Form form) {
  const ir::Tensor& tensor = *graph_.constant(value);
  const std::vector<float> elements = as_floats(tensor);
  const std::string& name = graph_.value(value).name;
  if (form == Form::row_major || tensor.shape().size() != 4) return constant(elements, tensor.shape(), name);
  const std::vector<float> packed = to_nhwc(elements, tensor.shape());
  Ref ref = weights(std::as_bytes(std::span(packed)), tensor.shape(), name);
  ref.operand.strides = layout_strides(tensor.shape());
  return ref;
}

Ref Lowering::copied(ir::ValueId value, Form form) {
  const auto known = copies_.find({value, form});
  if (known != copies_.end()) return known->second;
  const Ref from = place_ref(value);
  const ir::Shape& shape = from.operand.shape;
  const ir::Shape strides = form == Form::dense ? layout_strides(shape) : ir::row_major_strides(shape);
  Ref to = temporary(shape, strides, from.operand.value);
  copy(from, to, fmt::format("{} (copy)", from.operand.value));
  copies_.emplace(std::pair(value, form), to);
  return to;
}

Ref Lowering::operand(const ir::Node& node, std::size_t index) {
  if (index >= node.inputs.size() || !node.inputs[index].valid()) return {};
  const ir::ValueId value = node.inputs[index];
  return graph_.constant(value) ? constant_ref(value, Form::dense) : place_ref(value);
}

Ref Lowering::conforming(const ir::Node& node, std::size_t index) {
  Ref ref = operand(node, index);
  if (!ref.valid() || pixel_stride(ref.operand.shape, ref.operand.strides)) {
    if (ref.valid() && ref.operand.shape.size() == 4) {
      ref.operand.strides = image_strides(ref.operand.shape, *pixel_stride(ref.operand.shape, ref.operand.strides));
    }
    return ref;
  }
  return copied(node.inputs[index], Form::dense);
}

Ref Lowering::dense(const ir::Node& node, std::size_t index) {
  Ref ref = operand(node, index);
  if (!ref.valid()) return ref;
  if (!is_dense(ref.operand.shape, ref.operand.strides)) return copied(node.inputs[index], Form::dense);
  ref.operand.strides = layout_strides(ref.operand.shape);
  return ref;
}

Ref Lowering::row_major(const ir::Node& node, std::size_t index) {
  if (index >= node.inputs.size() || !node.inputs[index].valid()) return {};
  if (graph_.constant(node.inputs[index])) return constant_ref(node.inputs[index], Form::row_major);
  Ref ref = operand(node, index);
  if (!is_row_major(ref.operand.shape, ref.operand.strides)) return copied(node.inputs[index], Form::row_major);
  ref.operand.strides = ir::row_major_strides(ref.operand.shape);
  return ref;
}

Ref Lowering::result(const ir::Node& node) const { return place_ref(node.output); }

Ref Lowering::temporary(const ir::Shape& shape, const ir::Shape& strides, std::string name) {
  storage_.blocks.push_back({.elements = extent(shape, strides)});
  return {.operand = {.space = runtime::Space::arena,
                      .port = 0,
                      .offset = 0,
                      .bytes = byte_extent(shape, strides),
                      .shape = shape,
                      .strides = strides,
                      .value = std::move(name)},
          .block = static_cast<std::uint32_t>(storage_.blocks.size() - 1)};
}

Ref Lowering::weights(std::span<const std::byte> bytes, ir::Shape shape, std::string name) {
  return {.operand = {.space = runtime::Space::weights,
                      .port = 0,
                      .offset = weights_.add(bytes),
                      .bytes = bytes.size(),
                      .shape = std::move(shape),
                      .strides = {},
                      .value = std::move(name)},
          .block = {}};
}

Ref Lowering::constant(std::span<const float> elements, const ir::Shape& shape, std::string name) {
  Ref ref = weights(std::as_bytes(elements), shape, std::move(name));
  ref.operand.strides = ir::row_major_strides(shape);
  return ref;
}

Draft Lowering::draft(const ir::Node& node, std::string_view kernel) const {
  Draft draft;
  draft.step.kernel = kernel;
  draft.step.op = node.op;
  if (auto* slice = std::get_if<ir::Slice>(&draft.step.op); slice != nullptr && images_ > 1) slice->shape.at(0) = 1;
  draft.step.name = node.name.empty() ? graph_.value(node.output).name : node.name;
  draft.step.origins = node.origins;
  draft.step.multiply_adds = ir::multiply_adds(graph_, node, false);
  return draft;
}

void Lowering::emit(Draft draft) { drafts_.push_back(std::move(draft)); }

void Lowering::copy(const Ref& from, const Ref& to, std::string name) {
  Draft draft;
  draft.step.kernel = "native.copy";
  draft.step.op = ir::Identity{};
  draft.step.name = std::move(name);
  draft.operands = {from};
  draft.result = to;
  emit(std::move(draft));
}

void Lowering::copy_outputs() {
  for (std::uint32_t port = 0; port < graph_.outputs().size(); ++port) {
    const ir::Output& output = graph_.outputs()[port];
    const auto& place = storage_.places.at(output.value.index);
    if (place) {
      const Block& block = storage_.blocks[place->block];
      if (block.space == runtime::Space::output && block.port == port) continue;
    }
    const Ref from = place ? place_ref(output.value) : constant_ref(output.value, Form::row_major);
    const ir::Shape& shape = graph_.shape(output.value);
    const Ref to = temporary(shape, ir::row_major_strides(shape), output.name);
    storage_.blocks[*to.block].space = runtime::Space::output;
    storage_.blocks[*to.block].port = port;
    copy(from, to, fmt::format("{} (output)", output.name));
  }
}

const ir::Node* Lowering::only_user(const ir::Node& node) const {
  const auto found = only_users_.find(node.output);
  return found != only_users_.end() ? &graph_.node(found->second) : nullptr;
}

bool Lowering::is_computed_with(const ir::Node& node, const ir::Node& other) const {
  const auto found = computed_with_.find(node.output);
  return found != computed_with_.end() && found->second == other.output;
}

void Lowering::begin_images(std::int64_t images, bool side_by_side) {
  loops_.push_back({.first = drafts_.size(), .end = drafts_.size(), .images = images, .side_by_side = side_by_side});
  images_ = images;
  is_alone_ = side_by_side;
  copies_.clear();
}

void Lowering::end_images() {
  loops_.back().end = drafts_.size();
  images_ = 1;
  is_alone_ = false;
  copies_.clear();
}

runtime::Plan Lowering::finish() {
  copy_outputs();
  const Placement placement(drafts_, storage_, loops_, target_.threads);
  runtime::Plan plan;
  for (std::size_t k = 0; k < drafts_.size(); ++k) {
    runtime::Step step = std::move(drafts_[k].step);
    for (const Ref& ref : drafts_[k].operands) {
      step.operands.push_back(ref.valid() ? placement.resolved(ref) : runtime::Operand{});
    }
    step.result = placement.resolved(drafts_[k].result);
    step.scratch = placement.scratch_of(k, drafts_[k]);
    plan.steps.push_back(std::move(step));
  }
  drafts_.clear();
  std::erase_if(loops_, [](const runtime::ImageLoop& loop) { return loop.first == loop.end; });
  plan.loops = std::move(loops_);
  plan.arena_bytes = placement.bytes();
  plan.arena_lower_bound = placement.lower_bound();
  plan.weights = weights_.finish();
  return plan;
}

}  // namespace deeper::backend
