#pragma once

#include <functional>
#include <vector>

#include "ir/evaluate.h"
#include "runtime/session.h"

namespace deeper::tools {

// Runs the program up to every step in turn and shows what the step left in the arena, row-major in the shape of its
// result, before a later step overwrites it. Results that are model outputs or have no strides are left out.
void for_each_value(const runtime::Program& program, const std::vector<std::vector<float>>& inputs,
                    const std::function<bool(const runtime::Step&)>& wanted,
                    const std::function<void(const runtime::Step&, const ir::Array&)>& show);

// The model outputs, in order.
std::vector<ir::Array> run_outputs(const runtime::Program& program, const std::vector<std::vector<float>>& inputs);

}  // namespace deeper::tools
