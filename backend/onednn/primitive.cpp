#include "backend/onednn/primitive.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "backend/onednn/describe.h"
#include "ir/error.h"

namespace deeper::backend::onednn {
namespace {

struct Row {
  std::string_view name;
  Description (*describe)(const runtime::Step& step);
};

constexpr Row kRows[] = {
    {"onednn.conv", describe_conv},
    {"onednn.conv_as_matmul", describe_conv_as_matmul},
    {"onednn.inner_product", describe_inner_product},
    {"onednn.matmul", describe_matmul},
    {"onednn.eltwise", describe_eltwise},
    {"onednn.binary", describe_binary},
    {"onednn.batch_norm", describe_batch_norm},
    {"onednn.prelu", describe_prelu},
};

// Shared by all sessions.
struct Prepared {
  dnnl::primitive primitive;
  std::vector<Argument> arguments;
};

// One session's: memory objects whose addresses are set before they are used.
struct Bound {
  std::shared_ptr<const void> prepared;
  dnnl_primitive_t primitive = nullptr;
  dnnl::stream stream;
  std::vector<dnnl::memory> memories;
  std::vector<dnnl_exec_arg_t> arguments;
  std::vector<std::size_t> slots;
  std::unique_ptr<std::byte*[]> addresses;  // last ones set
};

std::shared_ptr<const void> bind(const std::shared_ptr<const void>& state) {
  const auto* prepared = static_cast<const Prepared*>(state.get());
  auto bound = std::make_shared<Bound>();
  bound->prepared = state;
  bound->primitive = prepared->primitive.get();
  bound->stream = dnnl::stream(cpu_engine());
  for (const Argument& argument : prepared->arguments) {
    bound->memories.emplace_back(argument.desc, cpu_engine(), static_cast<void*>(DNNL_MEMORY_NONE));
    bound->arguments.push_back({argument.id, bound->memories.back().get()});
    bound->slots.push_back(argument.slot);
  }
  bound->addresses = std::make_unique<std::byte*[]>(bound->slots.size());
  return bound;
}

void run(const void* state, runtime::Addresses addresses, runtime::Team) noexcept {
  const auto& bound = *static_cast<const Bound*>(state);
  for (std::size_t i = 0; i < bound.slots.size(); ++i) {
    std::byte* address = addresses[bound.slots[i]];
    if (address == bound.addresses[i]) continue;
    dnnl_memory_set_data_handle(bound.arguments[i].memory, address);
    bound.addresses[i] = address;
  }
  dnnl_primitive_execute(bound.primitive, bound.stream.get(), static_cast<int>(bound.arguments.size()),
                         bound.arguments.data());
}

const Row& row_of(std::string_view kernel) {
  const auto* row = std::ranges::find(kRows, kernel, &Row::name);
  DEEPER_CHECK(row != std::end(kRows), fmt::format("finding the oneDNN kernel '{}'", kernel));
  return *row;
}

void check_fits(const runtime::Step& step, const Description& description) {
  const auto refuse = [&](std::string_view why) {
    throw ModelError(
        fmt::format("step '{}' ({}): {}; compile the model again on this machine", step.name, step.kernel, why));
  };
  if (!description) refuse("this oneDNN has no implementation");
  if (description.implementation() != step.implementation) {
    refuse(fmt::format("compiled for oneDNN's '{}', but here it is '{}'", step.implementation,
                       description.implementation()));
  }
  if (description.scratchpad_bytes() > step.scratch.bytes) refuse("it needs more scratch memory here");
  for (const Argument& argument : description.arguments) {
    if (argument.slot > step.operands.size()) continue;
    const bool is_result = argument.slot == step.operands.size();
    const runtime::Operand& operand = is_result ? step.result : step.operands[argument.slot];
    const std::uint64_t bytes = argument.desc.get_size();
    // oneDNN rounds the size of a slice up to whole rows; slices are described by their strides, which are sound.
    const bool is_slice = !operand.strides.empty() && bytes > sizeof(float) * ir::element_count(operand.shape);
    if (!is_slice && bytes > operand.bytes) refuse("an operand is larger than its memory");
    if (operand.space == runtime::Space::weights && bytes != operand.bytes) {
      refuse("its weights are packed in another format");
    }
  }
}

runtime::Executable prepare(const runtime::Step& step, int threads) {
  const ThreadScope scope(threads);
  Description description = describe(step, threads);
  check_fits(step, description);
  auto prepared = std::make_shared<Prepared>();
  prepared->primitive = dnnl::primitive(description.primitive.get());
  prepared->arguments = std::move(description.arguments);
  if (step.scratch.bytes > 0) {
    prepared->arguments.push_back(
        {DNNL_ARG_SCRATCHPAD, step.operands.size() + 1, description.primitive.scratchpad_desc()});
  }
  return {.run = run, .state = prepared, .bind = bind, .is_team_kernel = false};
}

template <std::size_t... I>
constexpr auto kernel_rows(std::index_sequence<I...>) {
  return std::array{runtime::KernelRow{kRows[I].name, prepare}...};
}

}  // namespace

std::string Description::implementation() const { return primitive.impl_info_str(); }

bool Description::is_reference() const {
  const std::string name = implementation();
  return name.starts_with("ref") || name.starts_with("simple");
}

std::uint64_t Description::scratchpad_bytes() const { return primitive.scratchpad_desc().get_size(); }

const Desc& Description::desc(std::size_t slot) const {
  const auto found = std::ranges::find(arguments, slot, &Argument::slot);
  DEEPER_CHECK(found != arguments.end(), "finding an argument of a primitive");
  return found->desc;
}

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

Description describe(const runtime::Step& step, int threads) {
  const ThreadScope scope(threads);
  return row_of(step.kernel).describe(step);
}

Desc desc_of(const ir::Shape& dims, const ir::Shape& strides) {
  if (dims.empty()) return Desc({1}, dnnl::memory::data_type::f32, dnnl::memory::dims{1});
  return Desc(dims, dnnl::memory::data_type::f32, strides);
}

Desc desc_of(const runtime::Operand& operand) { return desc_of(operand.shape, operand.strides); }

std::vector<std::byte> reorder(std::span<const float> elements, const Desc& from, const Desc& to) {
  std::vector<std::byte> packed(to.get_size());
  dnnl::memory source(from, cpu_engine(), const_cast<float*>(elements.data()));
  dnnl::memory destination(to, cpu_engine(), packed.data());
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(source, destination).execute(stream, source, destination);
  stream.wait();
  return packed;
}

std::span<const runtime::KernelRow> rows() {
  static constexpr auto kKernelRows = kernel_rows(std::make_index_sequence<std::size(kRows)>());
  return kKernelRows;
}

}  // namespace deeper::backend::onednn
