#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "tools/plan_values.h"

// How far what the steps of a plan leave is from what it should be.
namespace deeper::tools {

struct StepError {
  const runtime::Step* step = nullptr;
  double total = 0;  // relative L2 from the expected value
  double own = 0;    // from what the op's definition gives for the operands that the step met
};

// Every step whose result is a value of the graph, in order: `total` against the graph's oracle on `inputs`, `own`
// against the oracle whose every other value is the one that the plan computed. `outputs` takes the oracle's.
std::vector<StepError> errors_of_steps(const ir::Graph& graph, std::span<const ir::Array> inputs,
                                       std::span<const StepValue> values, std::vector<ir::Array>& outputs);

// Every step of which `expected` has a value of the same name and shape; `own` stays 0.
std::vector<StepError> differences_of_steps(std::span<const StepValue> values, std::span<const StepValue> expected);

// The first step whose own error, or total error, is beyond the tolerance (or no number); null where none is.
const StepError* first_wrong_step(std::span<const StepError> errors, double tolerance);
const StepError* first_far_step(std::span<const StepError> errors, double tolerance);

// "'name' (kernel implementation)"
std::string describe(const runtime::Step& step);

}  // namespace deeper::tools
