#include "backend/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backend/layout.h"
#include "backend/memory_plan.h"
#include "backend/onednn/compat.h"
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

// Lifetimes of the blocks in the arena, from the steps that name them, and of the scratch of all steps: one block, so
// that a thread always writes to the same part of it, which then stays in that thread's own cache.
struct Liveness {
  std::vector<Lifetime> lifetimes;
  std::vector<std::optional<std::size_t>> of_block;
  std::optional<std::size_t> of_scratch;
};

void extend(Liveness& liveness, const Ref& ref, const Storage& storage, std::int64_t position) {
  if (!ref.block) return;
  const Block& block = storage.blocks[*ref.block];
  if (block.space != runtime::Space::arena) return;
  auto& index = liveness.of_block[*ref.block];
  if (!index) {
    index = liveness.lifetimes.size();
    liveness.lifetimes.push_back(
        {.bytes = static_cast<std::uint64_t>(block.elements) * sizeof(float), .first = position, .last = position});
  }
  Lifetime& lifetime = liveness.lifetimes[*index];
  lifetime.first = std::min(lifetime.first, position);
  lifetime.last = std::max(lifetime.last, position);
}

Liveness liveness_of(std::span<const Draft> drafts, const Storage& storage, std::span<const runtime::ImageLoop> loops,
                     int threads) {
  constexpr std::uint64_t kPage = 4096;
  Liveness liveness;
  liveness.of_block.resize(storage.blocks.size());
  std::uint64_t scratch_pages = 0;  // of a thread
  for (std::size_t k = 0; k < drafts.size(); ++k) {
    const auto position = static_cast<std::int64_t>(k);
    const runtime::ImageLoop* const loop = loop_of(loops, k);
    const auto add = [&](const Ref& ref) {
      extend(liveness, ref, storage, position);
      if (ref.operand.advance == 0 || loop == nullptr) return;  // else it has to live while any image passes
      extend(liveness, ref, storage, static_cast<std::int64_t>(loop->first));
      extend(liveness, ref, storage, static_cast<std::int64_t>(loop->end) - 1);
    };
    for (const Ref& operand : drafts[k].operands) add(operand);
    add(drafts[k].result);
    const std::uint64_t pages = kPage * static_cast<std::uint64_t>(threads);
    scratch_pages = std::max(scratch_pages, (drafts[k].scratch_bytes + pages - 1) / pages);
  }
  if (scratch_pages == 0) return liveness;
  liveness.of_scratch = liveness.lifetimes.size();
  liveness.lifetimes.push_back({.bytes = scratch_pages * kPage * static_cast<std::uint64_t>(threads),
                                .first = 0,
                                .last = static_cast<std::int64_t>(drafts.size()) - 1});
  return liveness;
}

runtime::Operand resolved(const Ref& ref, const Storage& storage, const Liveness& liveness, const MemoryPlan& memory) {
  runtime::Operand operand = ref.operand;
  if (!ref.block) return operand;
  const Block& block = storage.blocks[*ref.block];
  operand.space = block.space;
  operand.port = block.port;
  if (block.space == runtime::Space::arena) operand.offset += memory.offsets[liveness.of_block[*ref.block].value()];
  return operand;
}

}  // namespace

Lowering::Lowering(const ir::Graph& graph, const Target& target, const CompileOptions& options)
    : graph_(graph), target_(target), options_(options), storage_(assign_storage(graph)) {}

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

void Lowering::begin_images(std::int64_t images) {
  loops_.push_back({.first = drafts_.size(), .end = drafts_.size(), .images = images});
  images_ = images;
  copies_.clear();
}

void Lowering::end_images() {
  loops_.back().end = drafts_.size();
  images_ = 1;
  copies_.clear();
}

// Blocks of which all steps are in one loop, each working on one image, need not hold more.
void Lowering::shrink_blocks() {
  std::vector<const runtime::ImageLoop*> loop_of_block(storage_.blocks.size(), nullptr);
  std::vector<bool> holds_one(storage_.blocks.size(), true);
  const auto for_refs = [&](const auto& use) {
    for (std::size_t k = 0; k < drafts_.size(); ++k) {
      for (Ref& operand : drafts_[k].operands) use(operand, loop_of(loops_, k));
      use(drafts_[k].result, loop_of(loops_, k));
    }
  };
  for_refs([&](const Ref& ref, const runtime::ImageLoop* loop) {
    if (!ref.block) return;
    const Block& block = storage_.blocks[*ref.block];
    const runtime::ImageLoop*& known = loop_of_block[*ref.block];
    if (known == nullptr) known = loop;
    const bool is_divided = loop != nullptr && static_cast<std::uint64_t>(block.elements) * sizeof(float) ==
                                                   ref.operand.advance * static_cast<std::uint64_t>(loop->images);
    if (block.space != runtime::Space::arena || !is_divided || known != loop) holds_one[*ref.block] = false;
  });
  for_refs([&](Ref& ref, const runtime::ImageLoop*) {
    if (ref.block && holds_one[*ref.block]) ref.operand.advance = 0;
  });
  for (std::size_t i = 0; i < storage_.blocks.size(); ++i) {
    if (holds_one[i] && loop_of_block[i] != nullptr) storage_.blocks[i].elements /= loop_of_block[i]->images;
  }
}

runtime::Plan Lowering::finish() {
  copy_outputs();
  shrink_blocks();
  const Liveness liveness = liveness_of(drafts_, storage_, loops_, target_.threads);
  const MemoryPlan memory = plan_memory(liveness.lifetimes);
  runtime::Plan plan;
  for (std::size_t k = 0; k < drafts_.size(); ++k) {
    runtime::Step step = std::move(drafts_[k].step);
    for (const Ref& ref : drafts_[k].operands) {
      step.operands.push_back(ref.valid() ? resolved(ref, storage_, liveness, memory) : runtime::Operand{});
    }
    step.result = resolved(drafts_[k].result, storage_, liveness, memory);
    if (drafts_[k].scratch_bytes > 0) {
      step.scratch.space = runtime::Space::arena;
      step.scratch.offset = memory.offsets[liveness.of_scratch.value()];
      step.scratch.bytes = liveness.lifetimes[*liveness.of_scratch].bytes;
    }
    plan.steps.push_back(std::move(step));
  }
  drafts_.clear();
  std::erase_if(loops_, [](const runtime::ImageLoop& loop) { return loop.first == loop.end; });
  plan.loops = std::move(loops_);
  plan.arena_bytes = memory.bytes;
  plan.arena_lower_bound = memory.lower_bound;
  plan.weights = weights_.finish();
  return plan;
}

}  // namespace deeper::backend
