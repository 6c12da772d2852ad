#pragma once

namespace CLI {
class App;
}

// The subcommands of `deeper`, one file each. Every function adds its subcommand with flags and help; the work is done
// when the command line has been parsed, and throws ModelError where the input is at fault.
namespace deeper::tools {

void add_zoo_command(CLI::App& app);
void add_compile_command(CLI::App& app);
void add_run_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_passes_command(CLI::App& app);
void add_profile_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_check_command(CLI::App& app);

}  // namespace deeper::tools
