// The structure of a plan, trusting nothing.
#include "runtime/validate.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/error.h"
#include "ir/infer.h"
#include "runtime/kernel.h"

namespace deeper::runtime {
namespace {

constexpr std::size_t kMaxRank = 8;
constexpr int kMaxThreads = 1024;
constexpr std::int64_t kMaxImages = std::int64_t{1} << 20;
constexpr std::uint64_t kMaxArena = std::uint64_t{1} << 46U;

void require(bool condition, std::string_view place, std::string_view what) {
  if (!condition) throw ModelError(fmt::format("the plan is damaged: {}: {}", place, what));
}

std::uint64_t port_bytes(const Port& port, std::string_view place) {
  std::uint64_t bytes = 0;
  const std::int64_t count = ir::element_count(port.type.shape);
  require(!__builtin_mul_overflow(static_cast<std::uint64_t>(count), sizeof(float), &bytes), place, "size overflows");
  return bytes;
}

// Bytes that a strided operand spans.
std::uint64_t spanned_bytes(const Operand& operand, std::string_view place) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < operand.shape.size(); ++i) {
    require(operand.strides[i] >= 0, place, "negative stride");
    if (operand.shape[i] == 0) return 0;
    std::int64_t reach = 0;
    require(!__builtin_mul_overflow(operand.shape[i] - 1, operand.strides[i], &reach) &&
                !__builtin_add_overflow(last, reach, &last),
            place, "extent overflows");
  }
  std::uint64_t bytes = 0;
  require(!__builtin_mul_overflow(static_cast<std::uint64_t>(last) + 1, sizeof(float), &bytes), place,
          "extent overflows");
  return bytes;
}

std::uint64_t space_bytes(const Plan& plan, const Operand& operand, std::string_view place) {
  switch (operand.space) {
    case Space::none:
      return 0;
    case Space::arena:
      return plan.arena_bytes;
    case Space::weights:
      require(plan.weights != nullptr, place, "there are no weights");
      return plan.weights->bytes().size();
    case Space::input:
      require(operand.port < plan.inputs.size(), place, "no such input");
      return port_bytes(plan.inputs[operand.port], place);
    case Space::output:
      require(operand.port < plan.outputs.size(), place, "no such output");
      return port_bytes(plan.outputs[operand.port], place);
  }
  require(false, place, "unknown space");
  return 0;
}

void validate_operand(const Plan& plan, const Operand& operand, std::int64_t images, std::string_view place) {
  if (operand.space == Space::none) return;
  std::uint64_t end = 0;
  std::uint64_t further = 0;  // to the last image
  require(operand.images >= 1, place, "has no room for an image");
  const std::uint64_t places = std::min(static_cast<std::uint64_t>(images), std::uint64_t{operand.images});
  require(!__builtin_mul_overflow(operand.advance, places - 1, &further) &&
              !__builtin_add_overflow(operand.offset, operand.bytes, &end) &&
              !__builtin_add_overflow(end, further, &end),
          place, "extent overflows");
  require(end <= space_bytes(plan, operand, place), place, "lies outside its memory");
  require(operand.offset % sizeof(float) == 0 && operand.advance % sizeof(float) == 0, place, "is not aligned");
  require(operand.shape.size() <= kMaxRank, place, "has too many axes");
  ir::element_count(operand.shape);
  if (operand.strides.empty() && !operand.shape.empty()) return;
  require(operand.strides.size() == operand.shape.size(), place, "strides do not fit the shape");
  require(spanned_bytes(operand, place) <= operand.bytes, place, "is larger than its extent");
}

void validate_step(const Plan& plan, const Step& step, std::size_t number) {
  const std::string place = fmt::format("step {} '{}' ({})", number, step.name, step.kernel);
  const std::int64_t images = images_of_step(plan, number);
  for (std::size_t i = 0; i < step.operands.size(); ++i) {
    validate_operand(plan, step.operands[i], images, fmt::format("{}, operand {}", place, i));
  }
  validate_operand(plan, step.result, images, fmt::format("{}, result", place));
  require(step.result.space == Space::arena || step.result.space == Space::output, place, "has no place to write");
  validate_operand(plan, step.scratch, images, fmt::format("{}, scratch", place));
  require(step.scratch.space == Space::none || step.scratch.space == Space::arena, place, "has no scratch memory");
  try {
    require_inferred(step);
  } catch (const ModelError& error) {
    require(false, place, error.what());
  }
}

// Kernels hold all numbers as f32; infer wants to know which operands stand for other types.
ir::DataType data_type_of_operand(const ir::Op& op, std::size_t i) {
  if (std::holds_alternative<ir::Gather>(op) && i == 1) return ir::DataType::i64;
  if (std::holds_alternative<ir::Where>(op) && i == 0) return ir::DataType::boolean;
  if (const auto* unary = std::get_if<ir::Unary>(&op)) {
    if (unary->function.function == ir::Function::logical_not) return ir::DataType::boolean;
  }
  if (const auto* binary = std::get_if<ir::Binary>(&op)) {
    if (binary->function >= ir::BinaryFunction::logical_and) return ir::DataType::boolean;
  }
  return ir::DataType::f32;
}

}  // namespace

void require_inferred(const Step& step) {
  if (std::holds_alternative<ir::BatchNorm>(step.op)) return;  // statistics are folded into two operands
  ir::Graph graph;
  std::vector<ir::ValueId> inputs;
  for (std::size_t i = 0; i < step.operands.size(); ++i) {
    const bool present = step.operands[i].space != Space::none;
    inputs.push_back(present ? graph.add_input("", {data_type_of_operand(step.op, i), step.operands[i].shape})
                             : ir::ValueId{});
  }
  const auto pooled = [&graph](const ir::Pool& pool, ir::ValueId value) {
    return graph.add_input("", ir::infer(pool, graph, {&value, 1}));
  };
  if (step.operand_pool && !inputs.empty()) inputs[0] = pooled(*step.operand_pool, inputs[0]);
  ir::ValueId result = graph.add_input("", ir::infer(step.op, graph, inputs));
  if (step.result_pool) result = pooled(*step.result_pool, result);
  if (graph.shape(result) != step.result.shape) throw ModelError("the result's shape does not fit the op");
}

void validate(const Plan& plan) {
  require(plan.threads >= 1 && plan.threads <= kMaxThreads, "threads", fmt::format("{}", plan.threads));
  require(plan.arena_bytes <= kMaxArena, "arena", fmt::format("{} bytes", plan.arena_bytes));
  for (const Port& port : plan.inputs) port_bytes(port, port.name);
  for (const Port& port : plan.outputs) port_bytes(port, port.name);
  std::size_t end = 0;
  for (const ImageLoop& loop : plan.loops) {
    require(loop.first >= end && loop.end > loop.first && loop.end <= plan.steps.size() && loop.images >= 1 &&
                loop.images <= kMaxImages,
            "loops", fmt::format("steps {} to {} of {} images", loop.first, loop.end, loop.images));
    end = loop.end;
  }
  for (std::size_t i = 0; i < plan.steps.size(); ++i) validate_step(plan, plan.steps[i], i);
}

}  // namespace deeper::runtime
