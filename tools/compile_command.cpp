// deeper compile: an ONNX model to a plan file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "ir/error.h"
#include "runtime/plan_file.h"
#include "tools/commands.h"
#include "tools/model_flags.h"
#include "tools/progress.h"

namespace deeper::tools {
namespace {

struct CompileFlags {
  ModelFlags model;
  std::filesystem::path plan;
};

void compile_model(const CompileFlags& flags) {
  OpenOptions options = flags.model.options();
  if (runtime::is_plan_file(flags.model.model())) {
    throw ModelError(fmt::format("{}: is a plan already", flags.model.model().string()));
  }
  Progress progress;
  options.report = [&](std::string_view what, double share) { progress.show(what, share); };
  progress.show("compiling " + flags.model.model().string());
  const runtime::Plan plan = open_plan(flags.model.model(), options);
  runtime::save_plan(plan, flags.plan);
}

}  // namespace

void add_compile_command(CLI::App& app) {
  auto flags = std::make_shared<CompileFlags>();
  CLI::App* command = app.add_subcommand("compile", "compile an ONNX model to a plan file");
  flags->model.add_to(*command, "--output");
  command->add_option("-o", flags->plan, "plan file to write")->required();
  command->callback([flags] { compile_model(*flags); });
}

}  // namespace deeper::tools
