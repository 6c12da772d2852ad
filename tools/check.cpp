#include "tools/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/verify.h"
#include "runtime/session.h"
#include "tools/compare.h"
#include "tools/plan_values.h"
#include "tools/progress.h"
#include "tools/step_errors.h"

namespace deeper::tools {
namespace {

using Arrays = std::vector<ir::Array>;

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

// The first value of `after`, in order, that differs from the one of the same name and shape in `before`; "" where no
// such value does.
std::string first_value_that_strays(const ir::Graph& before, const ir::Graph& after, const Arrays& inputs,
                                    double tolerance) {
  std::map<std::string, ir::Array> values;
  ir::EvaluateOptions options;
  options.observe = [&](ir::NodeId id, const ir::Array& array) {
    values[before.value(before.node(id).output).name] = array;
  };
  ir::evaluate(before, inputs, options);
  std::string first;
  options.observe = [&](ir::NodeId id, const ir::Array& array) {
    const std::string& name = after.value(after.node(id).output).name;
    const auto found = values.find(name);
    if (!first.empty() || found == values.end() || found->second.shape != array.shape) return;
    if (!(relative_l2(array.data, found->second.data) <= tolerance)) first = name;
  };
  ir::evaluate(after, inputs, options);
  return first;
}

// Runs one pass after the other, evaluates the outputs after each that changes the graph, and throws at the first that
// strays.
void name_wrong_pass(ir::Graph graph, std::span<const passes::PassInfo> passes, const Arrays& inputs,
                     const Arrays& expected, double tolerance) {
  for (const passes::PassInfo& pass : passes) {
    const ir::Graph before = graph;
    if (!run_pass(pass, graph)) continue;
    const double error = worst_output(ir::evaluate(graph, inputs), expected);
    fmt::print("  after {:<34} {:.2e}\n", pass.name, error);
    if (error <= tolerance) continue;
    const std::string value = first_value_that_strays(before, graph, inputs, tolerance);
    throw ModelError(fmt::format("pass '{}' changes the outputs by {:.1e}, more than {:.1e}{}", pass.name, error,
                                 tolerance, value.empty() ? "" : fmt::format("; first in value '{}'", value)));
  }
  throw ModelError(fmt::format("the passes together change the outputs by more than {:.1e}", tolerance));
}

// All steps where wanted, else those at which error doubles, the first beyond the tolerance and those whose own is.
void print_steps(const std::vector<StepError>& errors, bool have_own, const CheckOptions& check) {
  fmt::print("  {:<8}  {}step\n", have_own ? "in all" : "by", have_own ? "alone     " : "");
  const StepError* first = first_far_step(errors, check.tolerance);
  double shown = 0;
  for (const StepError& e : errors) {
    const bool grows = e.total > 2 * shown;
    if (grows) shown = e.total;
    if (!check.verbose && !grows && &e != first && e.own <= check.tolerance) continue;
    fmt::print("  {:.2e}  {}{}\n", e.total, have_own ? fmt::format("{:.2e}  ", e.own) : "", describe(*e.step));
  }
}

// Prints how far the outputs differ; gives the name of the first that does by more than the tolerance, "" for none.
std::string compare_outputs(const std::vector<runtime::Port>& ports, const Arrays& got, const Arrays& expected,
                            double tolerance) {
  std::string first;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = relative_l2(got[i].data, expected[i].data);
    fmt::print("output '{}': {:.2e}\n", ports[i].name, error);
    if (first.empty() && !(error <= tolerance)) first = ports[i].name;
  }
  return first;
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

// What computing the same value with oneDNN's kernels only gives, in words.
std::string on_onednn(const frontend::Imported& optimized, OpenOptions options, const CheckOptions& check,
                      const Arrays& inputs, const std::string& value) {
  if (options.compile.kernels == backend::Kernels::onednn) return "";
  options.compile.kernels = backend::Kernels::onednn;
  options.compile.force.clear();
  const runtime::Program program(compile_imported(optimized, options), check.kernels);
  Arrays outputs;
  const auto values = step_values(program, inputs_for(check, program.plan()));
  for (const StepError& e : errors_of_steps(optimized.graph, inputs, values, outputs)) {
    if (e.step->result.value != value) continue;
    return fmt::format("; with --kernels onednn {} is off by {:.1e}", describe(*e.step), e.own);
  }
  return "";
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
  progress.show("running steps");
  const runtime::Program program(compile_imported(optimized, options), check.kernels);
  const auto in = inputs_for(check, program.plan());
  const Arrays inputs = to_arrays(program.plan(), in);
  const std::vector<StepValue> values = step_values(program, in);

  progress.show("evaluating the oracle");
  const Arrays expected = ir::evaluate(imported.graph, inputs);
  Arrays optimized_outputs;
  const std::vector<StepError> errors = errors_of_steps(optimized.graph, inputs, values, optimized_outputs);
  const double pass_error = worst_output(optimized_outputs, expected);
  fmt::print("passes: the optimized graph differs from the imported one by {:.2e} (relative L2, in double)\n",
             pass_error);
  if (!(pass_error <= check.tolerance)) name_wrong_pass(imported.graph, passes, inputs, expected, check.tolerance);

  fmt::print("kernels: how far each value is off, in all and by its own step alone; where that grows, in order\n");
  print_steps(errors, true, check);
  const std::string output =
      compare_outputs(program.plan().outputs, run_outputs(program, in), expected, check.tolerance);
  if (const StepError* wrong = first_wrong_step(errors, check.tolerance)) {
    throw ModelError(fmt::format("step {} for {} is off by {:.1e} from what its operands say, more than {:.1e}{}",
                                 describe(*wrong->step), wrong->step->origins, wrong->own, check.tolerance,
                                 on_onednn(optimized, options, check, inputs, wrong->step->result.value)));
  }
  if (const StepError* far = first_far_step(errors, check.tolerance)) {
    throw ModelError(fmt::format("at step {} the error is {:.1e}, more than {:.1e}, though no step alone adds that",
                                 describe(*far->step), far->total, check.tolerance));
  }
  if (!output.empty()) throw ModelError(fmt::format("output '{}' is off by more than {:.1e}", output, check.tolerance));
}

void check_against(const std::filesystem::path& model, const std::filesystem::path& other, const OpenOptions& options,
                   const CheckOptions& check) {
  Progress progress;
  progress.show("loading");
  const runtime::Program program(open_plan(model, options), check.kernels);
  const runtime::Program reference(open_plan(other, options), check.kernels);
  require_comparable(program.plan(), reference.plan());
  const auto in = inputs_for(check, program.plan());
  progress.show("comparing values");
  const std::vector<StepValue> values = step_values(program, in);
  const std::vector<StepError> errors = differences_of_steps(values, step_values(reference, in));
  fmt::print("values of one name and shape in both: {}; where the difference grows, in order\n", errors.size());
  print_steps(errors, false, check);
  const std::string output =
      compare_outputs(program.plan().outputs, run_outputs(program, in), run_outputs(reference, in), check.tolerance);
  if (output.empty()) return;
  const StepError* first = first_far_step(errors, check.tolerance);
  throw ModelError(fmt::format("output '{}' differs by more than {:.1e}{}", output, check.tolerance,
                               first == nullptr ? "" : fmt::format("; first at step {}", describe(*first->step))));
}

}  // namespace deeper::tools
