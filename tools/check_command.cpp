// deeper check: the compiled result against the oracle. First the passes (the optimized graph against the imported one,
// both evaluated in double), then the kernels (every step's result against the optimized graph's value).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tools/commands.h"
#include "tools/compare.h"
#include "tools/model_flags.h"
#include "tools/progress.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

struct CheckFlags {
  ModelFlags model;
  std::vector<std::string> inputs;
  double tolerance = 1e-4;
  bool verbose = false;
};

using Arrays = std::vector<ir::Array>;
using Values = std::map<std::string, ir::Array>;

double worst_output(const Arrays& got, const Arrays& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, relative_l2(got[i].data, expected[i].data));
  return worst;
}

// Evaluates the outputs after every pass that changed the graph; gives the first pass that strays, or "".
std::string first_pass_that_strays(const frontend::Imported& imported, const passes::Pipeline& pipeline,
                                   const Arrays& inputs, const Arrays& expected, double tolerance) {
  struct Strayed {
    std::string pass;
  };
  ir::Graph graph = imported.graph;
  passes::RunOptions run;
  run.observe = [&](const passes::PassRun& pass, const ir::Graph& after) {
    if (!pass.changed) return;
    const double error = worst_output(ir::evaluate(after, inputs), expected);
    fmt::print("  after {:<34} {:.2e}\n", pass.name, error);
    if (error > tolerance) throw Strayed{pass.name};
  };
  try {
    passes::run_passes(graph, pipeline, run);
  } catch (const Strayed& strayed) {
    return strayed.pass;
  }
  return "";
}

// The elements of a step's result as they lie in memory, row-major.
ir::Array gather(const runtime::Session& session, const runtime::Operand& operand) {
  ir::Array array{operand.shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(operand.shape)))};
  const float* base = session.address_of(operand);
  ir::Shape index(operand.shape.size(), 0);
  for (double& element : array.data) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < index.size(); ++i) offset += index[i] * operand.strides[i];
    element = static_cast<double>(base[offset]);
    for (std::size_t i = index.size(); i-- > 0 && ++index[i] == operand.shape[i];) index[i] = 0;
  }
  return array;
}

struct StepError {
  const runtime::Step* step;
  double error;
};

// Every step's result against the value of that name. Results that are model outputs are judged by the caller.
std::vector<StepError> compare_steps(const runtime::Program& program, const std::vector<std::vector<float>>& in,
                                     const Values& values) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {});
  auto out = output_buffers(plan.outputs);
  std::vector<StepError> errors;
  for (std::size_t k = 0; k < plan.steps.size(); ++k) {
    const runtime::Step& step = plan.steps[k];
    const auto expected = values.find(step.result.value);
    if (expected == values.end() || step.result.space != runtime::Space::arena) continue;
    if (step.result.strides.size() != step.result.shape.size() || step.result.shape != expected->second.shape) continue;
    DEEPER_CHECK(session.run_steps(views(in), views(out), k + 1) == runtime::Status::ok, "running the plan");
    errors.push_back({&step, relative_l2(gather(session, step.result).data, expected->second.data)});
  }
  return errors;
}

void print_steps(const std::vector<StepError>& errors, double tolerance, bool verbose) {
  double shown = 0;
  for (const StepError& e : errors) {
    const bool grows = e.error > 2 * shown;
    if (grows) shown = e.error;
    if (verbose || grows || e.error > tolerance) {
      fmt::print("  {:.2e}  {:<40} {} {}\n", e.error, e.step->name, e.step->kernel, e.step->implementation);
    }
  }
}

void check(const CheckFlags& flags) {
  if (runtime::is_plan_file(flags.model.model())) {
    throw ModelError(fmt::format("{}: check takes the ONNX model, a plan has no oracle", flags.model.model().string()));
  }
  OpenOptions options = flags.model.options();
  const std::vector<NamedArray> arrays = read_inputs(flags.inputs);
  options.import.input_shapes = shapes_of(arrays);
  Progress progress;
  progress.show("importing");
  const frontend::Imported imported = frontend::import_model(flags.model.model(), options.import);
  const passes::Pipeline pipeline = options.pipeline.value_or(passes::default_pipeline());
  frontend::Imported optimized = imported;
  passes::run_passes(optimized.graph, pipeline);
  const runtime::Program program(compile_imported(optimized, options), backend::kernel_table());
  const runtime::Plan& plan = program.plan();
  const auto in = arrays.empty() ? seeded_inputs(plan.inputs, 1) : bind_inputs(arrays, plan.inputs);
  Arrays inputs;
  for (std::size_t i = 0; i < in.size(); ++i)
    inputs.push_back({plan.inputs[i].type.shape, {in[i].begin(), in[i].end()}});

  progress.show("evaluating the oracle");
  const Arrays expected = ir::evaluate(imported.graph, inputs);
  Values values;
  ir::EvaluateOptions evaluate;
  evaluate.observe = [&](ir::NodeId id, const ir::Array& array) {
    values[optimized.graph.value(optimized.graph.node(id).output).name] = array;
  };
  const Arrays after_passes = ir::evaluate(optimized.graph, inputs, evaluate);
  const double pass_error = worst_output(after_passes, expected);
  fmt::print("passes: the optimized graph differs from the imported one by {:.2e} (relative L2, in double)\n",
             pass_error);
  if (!(pass_error <= flags.tolerance)) {
    const std::string pass = first_pass_that_strays(imported, pipeline, inputs, expected, flags.tolerance);
    throw ModelError(fmt::format("pass '{}' changes the outputs by more than {:.1e}", pass, flags.tolerance));
  }

  progress.show("comparing steps");
  const std::vector<StepError> errors = compare_steps(program, in, values);
  fmt::print("kernels: where the error of the values grows, in order\n");
  print_steps(errors, flags.tolerance, flags.verbose);
  auto out = output_buffers(plan.outputs);
  runtime::Session session(program, {});
  DEEPER_CHECK(session.run(views(in), views(out)) == runtime::Status::ok, "running the plan");
  double worst = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::vector<double> got(out[i].begin(), out[i].end());
    const double error = relative_l2(got, expected[i].data);
    worst = std::max(worst, error);
    fmt::print("output '{}': {:.2e}\n", plan.outputs[i].name, error);
  }
  for (const StepError& e : errors) {
    if (!(e.error <= flags.tolerance)) {
      throw ModelError(fmt::format("step '{}' ({} {}) is off by {:.1e}, more than {:.1e}", e.step->name, e.step->kernel,
                                   e.step->implementation, e.error, flags.tolerance));
    }
  }
  if (!(worst <= flags.tolerance))
    throw ModelError(fmt::format("the outputs are off by {:.1e}, more than {:.1e}", worst, flags.tolerance));
}

}  // namespace

void add_check_command(CLI::App& app) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command = app.add_subcommand("check", "compare the compiled model with the oracle, value by value");
  flags->model.add_to(*command, "--output");
  command->add_option("--input", flags->inputs, "[NAME=]X.npy or X.pb, once per input (default: seeded numbers)");
  command->add_option("--tolerance", flags->tolerance, "largest relative L2 difference")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--verbose", flags->verbose, "print every step");
  command->callback([flags] { check(*flags); });
}

}  // namespace deeper::tools
