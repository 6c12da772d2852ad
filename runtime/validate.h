#pragma once

#include "runtime/plan.h"

namespace deeper::runtime {

// Throws ModelError, naming the step, unless every operand of the plan lies inside its arena, weights, input or output,
// no extent, size or count overflows, and the shapes of every step fit its op. Tuning, packed sizes and what else a
// kernel makes of a step are the kernel's to check.
void validate(const Plan& plan);

}  // namespace deeper::runtime
