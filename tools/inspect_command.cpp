// deeper inspect: the model at any stage of its way, as text, Graphviz, JSON or ONNX.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "backend/plan_dump.h"
#include "frontend/export_onnx.h"
#include "ir/error.h"
#include "ir/print.h"
#include "runtime/plan_file.h"
#include "tools/commands.h"
#include "tools/dot.h"
#include "tools/files.h"
#include "tools/model_flags.h"

namespace deeper::tools {
namespace {

struct InspectFlags {
  ModelFlags model;
  std::string stage = "optimized";
  std::string format = "text";
  std::filesystem::path output;
};

constexpr std::string_view kAfter = "after:";

// The graph as it is after import and the passes that the stage asks for.
ir::Graph graph_at(const InspectFlags& flags) {
  const OpenOptions options = flags.model.options();
  ir::Graph graph = frontend::import_onnx(flags.model.model(), options.import);
  if (flags.stage == "imported") return graph;
  const passes::Pipeline pipeline = options.pipeline.value_or(passes::default_pipeline());
  passes::RunOptions run;
  if (flags.stage.starts_with(kAfter)) {
    run.stop_after = flags.stage.substr(kAfter.size());
    if (std::ranges::find(pipeline, run.stop_after) == pipeline.end()) {
      throw CLI::ValidationError("--stage", fmt::format("no pass '{}' runs", run.stop_after));
    }
  }
  passes::run_passes(graph, pipeline, run);
  return graph;
}

std::string check_stage(const std::string& stage) {
  const bool known = stage == "imported" || stage == "optimized" || stage == "plan" || stage.starts_with(kAfter);
  return known ? "" : fmt::format("'{}' is none of imported, after:PASS, optimized, plan", stage);
}

void write(const InspectFlags& flags, const std::string& bytes) {
  if (!flags.output.empty()) {
    write_file(flags.output, bytes);
    return;
  }
  if (flags.format == "onnx" && ::isatty(STDOUT_FILENO) == 1) {
    throw CLI::ValidationError("--format", "an ONNX model is not for a terminal: give a file with -o");
  }
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
}

void inspect(const InspectFlags& flags) {
  const bool is_plan = runtime::is_plan_file(flags.model.model());
  if (flags.stage == "plan" || is_plan) {
    if (is_plan && flags.stage != "plan" && flags.stage != "optimized") {
      throw ModelError(fmt::format("{}: a plan has only the stage 'plan'", flags.model.model().string()));
    }
    if (flags.format != "text") throw CLI::ValidationError("--format", "a plan prints as text only");
    write(flags, backend::dump_plan(open_plan(flags.model.model(), flags.model.options())));
    return;
  }
  const ir::Graph graph = graph_at(flags);
  write(flags, flags.format == "dot"    ? to_dot(graph)
               : flags.format == "json" ? to_json(graph)
               : flags.format == "onnx" ? frontend::export_onnx(graph)
                                        : ir::print_summary(graph));
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* command = app.add_subcommand("inspect", "print the model at any stage of its way to a plan");
  flags->model.add_to(*command, "--output");
  command->add_option("--stage", flags->stage, "imported, after:PASS, optimized or plan")
      ->check(check_stage)
      ->capture_default_str();
  command->add_option("--format", flags->format, "how to print")
      ->check(CLI::IsMember({"text", "dot", "json", "onnx"}))
      ->capture_default_str();
  command->add_option("-o", flags->output, "file to write (default: standard output)");
  command->callback([flags] { inspect(*flags); });
}

}  // namespace deeper::tools
