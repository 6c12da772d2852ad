// deeper run: tensors in, tensors out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tools/commands.h"
#include "tools/files.h"
#include "tools/model_flags.h"
#include "tools/progress.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

struct RunFlags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::filesystem::path output;
};

void write_outputs(const std::filesystem::path& path, const runtime::Plan& plan,
                   const std::vector<std::vector<float>>& outputs) {
  if (path.extension() == ".npy") {
    if (outputs.size() != 1) {
      throw ModelError(
          fmt::format("the model has {} outputs: give --output a folder, or pick one with --pick", outputs.size()));
    }
    write_npy(path, plan.outputs[0].type.shape, outputs[0]);
    return;
  }
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw ModelError(fmt::format("{}: cannot make the folder: {}", path.string(), error.message()));
  nlohmann::json names = nlohmann::json::array();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    write_npy(path / fmt::format("{}.npy", i), plan.outputs[i].type.shape, outputs[i]);
    names.push_back(plan.outputs[i].name);
  }
  write_file(path / "outputs.json", names.dump(1) + "\n");
}

void run_model(const RunFlags& flags) {
  OpenOptions options = flags.model.options();
  const std::vector<NamedArray> inputs = read_inputs(flags.inputs);
  options.import.input_shapes = shapes_of(inputs);
  Progress progress;
  options.report = [&](std::string_view what, double share) { progress.show(what, share); };
  progress.show("compiling");
  const runtime::Program program(open_plan(flags.model.model(), options), backend::kernel_table());
  const runtime::Plan& plan = program.plan();
  const std::vector<std::vector<float>> in = bind_inputs(inputs, plan.inputs);
  std::vector<std::vector<float>> out = output_buffers(plan.outputs);
  progress.show("running");
  runtime::Session session(program, {});
  const runtime::Status status = session.run(views(in), views(out));
  DEEPER_CHECK(status == runtime::Status::ok, "running the plan");
  write_outputs(flags.output, plan, out);
}

}  // namespace

void add_run_command(CLI::App& app) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", "run a model or a plan on tensors from files");
  flags->model.add_to(*command, "--pick");
  command->add_option("--input", flags->inputs, "[NAME=]X.npy or [NAME=]X.pb, once per input")->required();
  command->add_option("--output", flags->output, "Y.npy for a single output, or a folder for K.npy and outputs.json")
      ->required();
  command->callback([flags] { run_model(*flags); });
}

}  // namespace deeper::tools
