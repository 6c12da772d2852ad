#include "tools/step_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/compare.h"

namespace deeper::tools {
namespace {

// The last step that leaves a value of that name.
using ByName = std::map<std::string_view, std::size_t>;

ByName by_name(std::span<const StepValue> values) {
  ByName indices;
  for (std::size_t i = 0; i < values.size(); ++i) indices[values[i].step->result.value] = i;
  return indices;
}

const StepValue* find(const ByName& indices, std::span<const StepValue> values, std::string_view name,
                      const ir::Shape& shape) {
  const auto found = indices.find(name);
  if (found == indices.end() || values[found->second].array.shape != shape) return nullptr;
  return &values[found->second];
}

}  // namespace

std::vector<StepError> errors_of_steps(const ir::Graph& graph, std::span<const ir::Array> inputs,
                                       std::span<const StepValue> values, std::vector<ir::Array>& outputs) {
  const ByName indices = by_name(values);
  const auto left_by_step = [&](ir::NodeId id) {
    const ir::ValueId value = graph.node(id).output;
    return find(indices, values, graph.value(value).name, graph.shape(value));
  };
  std::vector<StepError> errors;
  ir::EvaluateOptions options;
  options.observe = [&](ir::NodeId id, const ir::Array& array) {
    const StepValue* left = left_by_step(id);
    if (left != nullptr) errors.push_back({left->step, relative_l2(left->array.data, array.data), 0});
  };
  outputs = ir::evaluate(graph, inputs, options);

  std::size_t next = 0;
  options.observe = [&](ir::NodeId id, const ir::Array& array) {
    const StepValue* left = left_by_step(id);
    if (left != nullptr) errors.at(next++).own = relative_l2(left->array.data, array.data);
  };
  options.replace = [&](ir::NodeId id) -> const ir::Array* {
    const StepValue* left = left_by_step(id);
    return left == nullptr ? nullptr : &left->array;
  };
  ir::evaluate(graph, inputs, options);
  return errors;
}

std::vector<StepError> differences_of_steps(std::span<const StepValue> values, std::span<const StepValue> expected) {
  const ByName indices = by_name(expected);
  std::vector<StepError> errors;
  for (const StepValue& value : values) {
    const StepValue* other = find(indices, expected, value.step->result.value, value.array.shape);
    if (other != nullptr) errors.push_back({value.step, relative_l2(value.array.data, other->array.data), 0});
  }
  return errors;
}

const StepError* first_wrong_step(std::span<const StepError> errors, double tolerance) {
  const auto found = std::ranges::find_if(errors, [&](const StepError& e) { return !(e.own <= tolerance); });
  return found == errors.end() ? nullptr : &*found;
}

const StepError* first_far_step(std::span<const StepError> errors, double tolerance) {
  const auto found = std::ranges::find_if(errors, [&](const StepError& e) { return !(e.total <= tolerance); });
  return found == errors.end() ? nullptr : &*found;
}

std::string describe(const runtime::Step& step) {
  return fmt::format("'{}' ({}{}{})", step.name.empty() ? step.result.value : step.name, step.kernel,
                     step.implementation.empty() ? "" : " ", step.implementation);
}

}  // namespace deeper::tools
