#pragma once

#include <vector>

#include "ir/evaluate.h"
#include "runtime/session.h"

namespace deeper::tools {

struct StepValue {
  const runtime::Step* step = nullptr;
  ir::Array array;  // row-major in the shape of the step's result
};

// What every step leaves in memory, before a later one overwrites it, in order. Results without strides are left out.
std::vector<StepValue> step_values(const runtime::Program& program, const std::vector<std::vector<float>>& inputs);

// The model outputs, in order.
std::vector<ir::Array> run_outputs(const runtime::Program& program, const std::vector<std::vector<float>>& inputs);

}  // namespace deeper::tools
