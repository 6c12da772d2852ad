#pragma once

#include "runtime/plan.h"

namespace deeper::runtime {

// Throws ModelError, naming the step, unless every operand of the plan lies inside its arena, weights, input or output,
// and no extent, size or count overflows. What an operand's kernel makes of it is the kernel's to check.
void validate(const Plan& plan);

}  // namespace deeper::runtime
