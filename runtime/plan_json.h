#pragma once

#include <string>
#include <string_view>

#include "runtime/plan.h"

namespace deeper::runtime {

// All of a plan but its weights, as JSON text; ops stand in their IR text form.
std::string plan_to_json(const Plan& plan);

// Throws ModelError for text that plan_to_json never gives. What the numbers mean is validate()'s to check.
Plan plan_from_json(std::string_view text);

}  // namespace deeper::runtime
