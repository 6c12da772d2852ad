#include "runtime/plan.h"

#include <algorithm>

namespace deeper::runtime {

const ImageLoop* loop_of(std::span<const ImageLoop> loops, std::size_t step) {
  const auto holds = [&](const ImageLoop& loop) { return loop.first <= step && step < loop.end; };
  const auto loop = std::ranges::find_if(loops, holds);
  return loop != loops.end() ? &*loop : nullptr;
}

std::int64_t images_of_step(const Plan& plan, std::size_t step) {
  const ImageLoop* const loop = loop_of(plan.loops, step);
  return loop != nullptr ? loop->images : 1;
}

int threads_of_step(const Plan& plan, std::size_t step) {
  const ImageLoop* const loop = loop_of(plan.loops, step);
  return loop != nullptr && loop->side_by_side ? 1 : plan.threads;
}

std::uint64_t offset_of(const Operand& operand, std::int64_t image) {
  return operand.offset + operand.advance * (static_cast<std::uint64_t>(image) % operand.images);
}

}  // namespace deeper::runtime
