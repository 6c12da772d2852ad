#pragma once

#include <cstdint>

#include "runtime/plan.h"

namespace deeper::tools {

// What one step reads and writes in a run, every element once.
struct StepBytes {
  std::uint64_t activations = 0;  // operands and result
  std::uint64_t weights = 0;      // constants as they are packed
  std::uint64_t total() const { return activations + weights; }
};

StepBytes bytes_of(const runtime::Plan& plan, std::size_t step);

}  // namespace deeper::tools
