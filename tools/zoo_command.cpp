// deeper zoo: lists the family, or writes one of it as an ONNX model.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "tools/commands.h"
#include "tools/progress.h"

namespace deeper::tools {
namespace {

struct ZooFlags {
  std::string name;
  std::filesystem::path output;
  frontend::ZooOptions options;
};

void list() {
  fmt::print("{:<20} {:>4} {:>9} {:>7} {:>12}  {}\n", "name", "year", "input", "GMAC", "parameters", "paper");
  for (const frontend::ZooEntry& entry : frontend::zoo_entries()) {
    fmt::print("{:<20} {:>4} {:>9} {:>7.3f} {:>12}  {}\n", entry.name, entry.year, fmt::format("3x{0}x{0}", entry.size),
               static_cast<double>(entry.multiply_adds) / 1e9, entry.parameters, entry.paper);
  }
}

void zoo(const ZooFlags& flags) {
  if (flags.name.empty()) return list();
  const std::filesystem::path path = flags.output.empty() ? std::filesystem::path(flags.name + ".onnx") : flags.output;
  Progress progress;
  progress.show("writing " + path.string());
  frontend::write_zoo_model(flags.name, path, flags.options);
}

}  // namespace

void add_zoo_command(CLI::App& app) {
  auto flags = std::make_shared<ZooFlags>();
  CLI::App* command = app.add_subcommand("zoo", "list the Inception family, or write one of it with seeded weights");
  command->add_option("name", flags->name, "model to write; without it, list them all");
  command->add_option("-o", flags->output, "ONNX file to write (default: NAME.onnx)");
  command->add_option("--seed", flags->options.seed, "seed of the weights")->capture_default_str();
  command->add_option("--size", flags->options.size, "height and width of the input (default: the model's own)")
      ->check(CLI::Range(1, 4096));
  command->callback([flags] { zoo(*flags); });
}

}  // namespace deeper::tools
