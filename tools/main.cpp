// The `deeper` command line: parses, runs one subcommand and turns errors into one line and an exit status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <new>

#include "ir/error.h"
#include "tools/commands.h"
#include "tools/version.h"

namespace {

constexpr int kInputAtFault = 1;
constexpr int kWrongUsage = 2;

int run(int argc, char** argv) {
  CLI::App app{"deeper compiles ONNX Inception networks to static plans for x86 CPUs and runs them."};
  app.set_version_flag("--version", deeper::tools::version_text());
  app.require_subcommand(1);
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    const std::vector<std::string> strange =
        failed->get_parent() == nullptr ? failed->remaining() : std::vector<std::string>{};
    const std::string what =
        strange.empty() ? error.what()
                        : fmt::format("there is no {} '{}'", strange.front().starts_with('-') ? "flag" : "subcommand",
                                      strange.front());
    const std::vector<CLI::App*> chosen = failed->get_subcommands();
    return fmt::format("deeper: {} (see 'deeper {}--help')\n", what,
                       chosen.empty() ? "" : chosen.front()->get_name() + " ");
  });
  deeper::tools::add_zoo_command(app);
  deeper::tools::add_compile_command(app);
  deeper::tools::add_run_command(app);
  deeper::tools::add_bench_command(app);
  deeper::tools::add_passes_command(app);
  deeper::tools::add_profile_command(app);
  deeper::tools::add_inspect_command(app);
  deeper::tools::add_check_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "deeper: not enough memory\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "deeper: {}\n", error.what());
  }
  return kInputAtFault;
}
