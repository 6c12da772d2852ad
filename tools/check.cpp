#include "tools/check.h"

#include <fmt/format.h>

#include <map>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/verify.h"
#include "runtime/session.h"
#include "tools/compare.h"
#include "tools/plan_values.h"
#include "tools/progress.h"

namespace deeper::tools {
namespace {

using Arrays = std::vector<ir::Array>;
using Values = std::map<std::string, ir::Array>;

double worst_output(const Arrays& got, const Arrays& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, relative_l2(got[i].data, expected[i].data));
  return worst;
}

bool run_pass(const passes::PassInfo& pass, ir::Graph& graph) {
  try {
    const bool changed = pass.run(graph);
    ir::verify(graph, ir::Form::imported);
    return changed;
  } catch (const InternalError& error) {
    throw InternalError(fmt::format("pass '{}' breaks the graph: {}", pass.name, error.what()));
  }
}

// Evaluates the outputs after every pass that changes the graph and stops at the first that strays; gives its name.
std::string first_pass_that_strays(ir::Graph graph, std::span<const passes::PassInfo> passes, const Arrays& inputs,
                                   const Arrays& expected, double tolerance) {
  for (const passes::PassInfo& pass : passes) {
    if (!run_pass(pass, graph)) continue;
    const double error = worst_output(ir::evaluate(graph, inputs), expected);
    fmt::print("  after {:<34} {:.2e}\n", pass.name, error);
    if (!(error <= tolerance)) return std::string(pass.name);
  }
  return "";
}

struct StepError {
  std::string value;
  std::string step;
  double error = 0;
};

std::string describe(const runtime::Step& step) {
  return fmt::format("'{}' ({}{}{})", step.name.empty() ? step.result.value : step.name, step.kernel,
                     step.implementation.empty() ? "" : " ", step.implementation);
}

// Every step's result against the value of that name and shape.
std::vector<StepError> compare_steps(const runtime::Program& program, const std::vector<std::vector<float>>& in,
                                     const Values& values) {
  std::vector<StepError> errors;
  const auto wanted = [&](const runtime::Step& step) {
    const auto expected = values.find(step.result.value);
    return expected != values.end() && expected->second.shape == step.result.shape;
  };
  for_each_value(program, in, wanted, [&](const runtime::Step& step, const ir::Array& got) {
    const ir::Array& expected = values.at(step.result.value);
    errors.push_back({step.result.value, describe(step), relative_l2(got.data, expected.data)});
  });
  return errors;
}

// All steps where wanted, else those at which error doubles and those beyond the tolerance.
void print_steps(const std::vector<StepError>& errors, const CheckOptions& check) {
  double shown = 0;
  for (const StepError& e : errors) {
    const bool grows = e.error > 2 * shown;
    if (grows) shown = e.error;
    if (check.verbose || grows || !(e.error <= check.tolerance)) fmt::print("  {:.2e}  {}\n", e.error, e.step);
  }
}

void judge(const std::vector<StepError>& errors, std::string_view what, double tolerance) {
  for (const StepError& e : errors) {
    if (e.error <= tolerance) continue;
    throw ModelError(fmt::format("{} {} is off by {:.1e}, more than {:.1e}", what, e.step, e.error, tolerance));
  }
}

std::vector<StepError> compare_outputs(const std::vector<runtime::Port>& ports, const Arrays& got,
                                       const Arrays& expected) {
  std::vector<StepError> errors;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = relative_l2(got[i].data, expected[i].data);
    errors.push_back({ports[i].name, fmt::format("'{}'", ports[i].name), error});
    fmt::print("output '{}': {:.2e}\n", ports[i].name, error);
  }
  return errors;
}

std::vector<std::vector<float>> inputs_for(const CheckOptions& check, const runtime::Plan& plan) {
  return check.inputs.empty() ? seeded_inputs(plan.inputs, 1) : bind_inputs(check.inputs, plan.inputs);
}

Arrays to_arrays(const runtime::Plan& plan, const std::vector<std::vector<float>>& in) {
  Arrays arrays;
  for (std::size_t i = 0; i < in.size(); ++i) {
    arrays.push_back({plan.inputs[i].type.shape, {in[i].begin(), in[i].end()}});
  }
  return arrays;
}

Values values_of(const runtime::Program& program, const std::vector<std::vector<float>>& in) {
  Values values;
  for_each_value(
      program, in, [](const runtime::Step&) { return true; },
      [&](const runtime::Step& step, const ir::Array& array) { values[step.result.value] = array; });
  return values;
}

void require_comparable(const runtime::Plan& a, const runtime::Plan& b) {
  const auto shapes = [](const std::vector<runtime::Port>& ports) {
    std::string text;
    for (const runtime::Port& port : ports) text += fmt::format(" {}", fmt::join(port.type.shape, "x"));
    return text;
  };
  if (shapes(a.inputs) != shapes(b.inputs)) {
    throw ModelError(fmt::format("the models take different inputs:{} and{}", shapes(a.inputs), shapes(b.inputs)));
  }
  if (shapes(a.outputs) != shapes(b.outputs)) {
    throw ModelError(fmt::format("the models give different outputs:{} and{}", shapes(a.outputs), shapes(b.outputs)));
  }
}

}  // namespace

void check_with_oracle(const std::filesystem::path& model, const OpenOptions& options, const CheckOptions& check,
                       std::span<const passes::PassInfo> passes) {
  Progress progress;
  progress.show("importing");
  const frontend::Imported imported = frontend::import_model(model, options.import);
  frontend::Imported optimized = imported;
  for (const passes::PassInfo& pass : passes) run_pass(pass, optimized.graph);
  const runtime::Program program(compile_imported(optimized, options), backend::kernel_table());
  const auto in = inputs_for(check, program.plan());
  const Arrays inputs = to_arrays(program.plan(), in);

  progress.show("evaluating the oracle");
  const Arrays expected = ir::evaluate(imported.graph, inputs);
  Values values;
  ir::EvaluateOptions evaluate;
  evaluate.observe = [&](ir::NodeId id, const ir::Array& array) {
    values[optimized.graph.value(optimized.graph.node(id).output).name] = array;
  };
  const double pass_error = worst_output(ir::evaluate(optimized.graph, inputs, evaluate), expected);
  fmt::print("passes: the optimized graph differs from the imported one by {:.2e} (relative L2, in double)\n",
             pass_error);
  if (!(pass_error <= check.tolerance)) {
    const std::string pass = first_pass_that_strays(imported.graph, passes, inputs, expected, check.tolerance);
    throw ModelError(fmt::format("pass '{}' changes the outputs by more than {:.1e}", pass, check.tolerance));
  }

  progress.show("comparing steps");
  const std::vector<StepError> errors = compare_steps(program, in, values);
  fmt::print("kernels: where the error of the values grows, in order\n");
  print_steps(errors, check);
  const std::vector<StepError> outputs = compare_outputs(program.plan().outputs, run_outputs(program, in), expected);
  judge(errors, "step", check.tolerance);
  judge(outputs, "output", check.tolerance);
}

void check_against(const std::filesystem::path& model, const std::filesystem::path& other, const OpenOptions& options,
                   const CheckOptions& check) {
  Progress progress;
  progress.show("loading");
  const runtime::Program program(open_plan(model, options), backend::kernel_table());
  const runtime::Program reference(open_plan(other, options), backend::kernel_table());
  require_comparable(program.plan(), reference.plan());
  const auto in = inputs_for(check, program.plan());
  progress.show("comparing values");
  const std::vector<StepError> errors = compare_steps(program, in, values_of(reference, in));
  fmt::print("values of one name and shape in both: {}; where the difference grows, in order\n", errors.size());
  print_steps(errors, check);
  const std::vector<StepError> outputs =
      compare_outputs(program.plan().outputs, run_outputs(program, in), run_outputs(reference, in));
  judge(outputs, "output", check.tolerance);
}

}  // namespace deeper::tools
