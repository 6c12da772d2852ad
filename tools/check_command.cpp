// deeper check: the compiled result against the oracle, or against another model.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "ir/error.h"
#include "runtime/plan_file.h"
#include "tools/check.h"
#include "tools/commands.h"
#include "tools/model_flags.h"

namespace deeper::tools {
namespace {

struct CheckFlags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::filesystem::path against;
  CheckOptions check;
};

std::vector<passes::PassInfo> passes_of(const passes::Pipeline& pipeline) {
  std::vector<passes::PassInfo> infos;
  for (const std::string& name : pipeline) {
    infos.push_back(*std::ranges::find(passes::all_passes(), name, &passes::PassInfo::name));
  }
  return infos;
}

void check(const CheckFlags& flags) {
  OpenOptions options = flags.model.options();
  CheckOptions check = flags.check;
  check.inputs = read_inputs(flags.inputs);
  if (!flags.against.empty()) {
    if (!runtime::is_plan_file(flags.model.model())) options.import.input_shapes = shapes_of(check.inputs);
    check_against(flags.model.model(), flags.against, options, check);
    return;
  }
  if (runtime::is_plan_file(flags.model.model())) {
    throw ModelError(fmt::format("{}: check takes the ONNX model, a plan has no oracle (or --against another model)",
                                 flags.model.model().string()));
  }
  options.import.input_shapes = shapes_of(check.inputs);
  check_with_oracle(flags.model.model(), options, check,
                    passes_of(options.pipeline.value_or(passes::default_pipeline())));
}

}  // namespace

void add_check_command(CLI::App& app) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command = app.add_subcommand("check", "compare the compiled model with the oracle, value by value");
  flags->model.add_to(*command, "--output");
  command->add_option("--input", flags->inputs, "[NAME=]X.npy or X.pb, once per input (default: seeded numbers)");
  command->add_option("--against", flags->against, "compare with this model or plan instead of the oracle");
  command->add_option("--tolerance", flags->check.tolerance, "largest relative L2 difference")
      ->check([](const std::string& text) {
        double number = 0;
        return CLI::detail::lexical_cast(text, number) && number > 0 ? "" : "is no number above 0: " + text;
      })
      ->capture_default_str();
  command->add_flag("--verbose", flags->check.verbose, "print every step");
  command->callback([flags] { check(*flags); });
}

}  // namespace deeper::tools
