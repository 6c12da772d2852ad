#include "backend/plan_dump.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "backend/layout.h"
#include "ir/print.h"

namespace deeper::backend {
namespace {

std::string shape_text(const runtime::Operand& operand) {
  std::string text = fmt::format("[{}]", fmt::join(operand.shape, ","));
  if (operand.shape.size() != 4 || operand.strides.size() != 4) return text;
  const auto stride = pixel_stride(operand.shape, operand.strides);
  if (is_dense(operand.shape, operand.strides)) return text;
  return stride ? fmt::format("{}/{}", text, *stride) : fmt::format("{}:{}", text, fmt::join(operand.strides, ","));
}

std::string place_text(const runtime::Operand& operand) {
  switch (operand.space) {
    case runtime::Space::none:
      return "_";
    case runtime::Space::arena:
      return fmt::format("arena+{}", operand.offset);
    case runtime::Space::weights:
      return fmt::format("weights+{}", operand.offset);
    case runtime::Space::input:
      return fmt::format("input {}+{}", operand.port, operand.offset);
    case runtime::Space::output:
      return fmt::format("output {}+{}", operand.port, operand.offset);
  }
  return "";
}

std::string port_text(const runtime::Port& port) { return fmt::format("{}: {}", port.name, ir::to_string(port.type)); }

std::string step_text(const runtime::Step& step) {
  std::string line = step.kernel;
  if (!step.implementation.empty()) line += fmt::format(" ({})", step.implementation);
  line += " ";
  if (step.operand_pool) line += fmt::format("{} then ", ir::print_op(*step.operand_pool));
  line += ir::print_op(step.op);
  if (step.result_pool) line += fmt::format(" then {}", ir::print_op(*step.result_pool));
  line += ":";
  for (const runtime::Operand& operand : step.operands) {
    line +=
        operand.space == runtime::Space::none ? " _" : fmt::format(" {}@{}", shape_text(operand), place_text(operand));
  }
  line += fmt::format(" -> {}@{} {} bytes", shape_text(step.result), place_text(step.result), step.result.bytes);
  if (step.scratch.bytes > 0) line += fmt::format(", scratch {} bytes", step.scratch.bytes);
  if (step.multiply_adds > 0) line += fmt::format(", {} multiply-adds", step.multiply_adds);
  return fmt::format("{} \"{}\"", line, step.name);
}

}  // namespace

std::uint64_t plain_weights_bytes(const runtime::Plan& plan) {
  std::map<std::uint64_t, std::uint64_t> by_offset;
  for (const runtime::Step& step : plan.steps) {
    for (const runtime::Operand& operand : step.operands) {
      if (operand.space != runtime::Space::weights) continue;
      by_offset[operand.offset] = static_cast<std::uint64_t>(ir::element_count(operand.shape)) * sizeof(float);
    }
  }
  std::uint64_t sum = 0;
  for (const auto& [offset, bytes] : by_offset) sum += bytes;
  return sum;
}

std::string dump_plan(const runtime::Plan& plan) {
  std::string text =
      fmt::format("plan \"{}\" for {}, oneDNN {}, threads {}\n", plan.model, plan.isa, plan.onednn, plan.threads);
  text +=
      fmt::format("arena {} bytes (lower bound {}), weights {} bytes ({} plain)\n", plan.arena_bytes,
                  plan.arena_lower_bound, plan.weights ? plan.weights->bytes().size() : 0, plain_weights_bytes(plan));
  for (const runtime::Port& port : plan.inputs) text += fmt::format("input {}\n", port_text(port));
  for (const runtime::Port& port : plan.outputs) text += fmt::format("output {}\n", port_text(port));
  for (const runtime::ImageLoop& loop : plan.loops) {
    text += fmt::format("steps {} to {} for one of {} images after the other{}\n", loop.first, loop.end - 1,
                        loop.images, loop.side_by_side ? ", each thread its own" : "");
  }
  for (std::size_t k = 0; k < plan.steps.size(); ++k) text += fmt::format("{:4} {}\n", k, step_text(plan.steps[k]));
  return text;
}

}  // namespace deeper::backend
