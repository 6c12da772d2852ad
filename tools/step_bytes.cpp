#include "tools/step_bytes.h"

namespace deeper::tools {
namespace {

std::uint64_t f32_bytes(const ir::Shape& shape) { return 4 * static_cast<std::uint64_t>(ir::element_count(shape)); }

}  // namespace

StepBytes bytes_of(const runtime::Plan& plan, std::size_t number) {
  const runtime::Step& step = plan.steps.at(number);
  StepBytes bytes{.activations = f32_bytes(step.result.shape), .weights = 0};
  for (const runtime::Operand& operand : step.operands) {
    if (operand.space == runtime::Space::none) continue;
    if (operand.space == runtime::Space::weights) {
      bytes.weights += operand.bytes;
    } else {
      bytes.activations += f32_bytes(operand.shape);
    }
  }
  bytes.activations *= static_cast<std::uint64_t>(runtime::images_of_step(plan, number));
  return bytes;
}

}  // namespace deeper::tools
