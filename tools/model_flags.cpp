#include "tools/model_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>

#include "ir/error.h"
#include "tools/files.h"

namespace deeper::tools {
namespace {

std::pair<std::string, std::int64_t> parse_dim(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  std::int64_t extent = 0;
  if (equals != std::string::npos && equals != 0) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, extent);
    if (error == std::errc{} && stop == end && extent > 0) return {text.substr(0, equals), extent};
  }
  throw CLI::ValidationError("--dim", fmt::format("'{}' is not NAME=K with K above 0", text));
}

passes::Pipeline pipeline_without(const std::vector<std::string>& disabled) {
  for (const std::string& name : disabled) {
    if (std::ranges::find(passes::all_passes(), name, &passes::PassInfo::name) == passes::all_passes().end()) {
      throw CLI::ValidationError("--disable", fmt::format("there is no pass '{}'", name));
    }
  }
  return passes::without(disabled);
}

// One name a line; what follows a '#' is a comment.
std::string pipeline_in_file(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::string list;
  for (std::string line; std::getline(lines, line);) {
    std::erase_if(line.erase(std::min(line.find('#'), line.size())), [](unsigned char c) { return std::isspace(c); });
    if (!line.empty()) list += (list.empty() ? "" : ",") + line;
  }
  return list;
}

passes::Pipeline pipeline_of(const std::string& text) {
  const std::string list = text.starts_with('@') ? pipeline_in_file(text.substr(1)) : text == "none" ? "" : text;
  try {
    return passes::parse_pipeline(list);
  } catch (const ModelError& error) {
    throw CLI::ValidationError("--passes", error.what());
  }
}

}  // namespace

void ModelFlags::add_to(CLI::App& command, const std::string& output_flag) {
  command_ = &command;
  command.add_option("model", model_, "ONNX model, or a plan that 'deeper compile' wrote")->required();
  command.add_option("--threads", threads_, "threads to run on (default: one per CPU)")->check(CLI::Range(1, 1024));
  command.add_option("--dim", dims_, "bind a symbolic dimension: NAME=K (batch is 1 unless bound)");
  command.add_option(output_flag, outputs_, "compute only this output; any value of the model may be named");
  auto* list = command.add_option("--passes", passes_,
                                  "run exactly these passes, in this order: a,b,c or @FILE ('none': no pass)");
  command.add_option("--disable", disabled_, "leave one pass out of the pipeline")->excludes(list);
  command.add_option("--kernels", kernels_, "'all', 'onednn', or one convolution algorithm to use wherever it applies");
  command
      .add_option("--tune", tune_,
                  "how kernels are chosen: by cost model (off), by records of earlier measurements "
                  "where there are some (cached), or by measuring them now (full)")
      ->check(CLI::IsMember({"off", "cached", "full"}));
  command.add_option("--tune-file", tune_file_,
                     "where measurements are kept (default: tuning.json in the user's cache)");
  command
      .add_option("--accuracy", accuracy_,
                  "stay within about 4 times the error of direct fp32 (safe), or larger tiles (fast)")
      ->check(CLI::IsMember({"safe", "fast"}));
  command.add_option("--memory", memory_, "low: no algorithm whose packed weights are larger than the plain ones")
      ->check(CLI::IsMember({"any", "low"}));
  command.add_option("--isa", isa_, "use no instruction set above this one")
      ->check(CLI::IsMember({"avx2", "avx512", "amx"}));
}

OpenOptions ModelFlags::options() const {
  OpenOptions options;
  for (const std::string& dim : dims_) options.import.dims.insert(parse_dim(dim));
  options.import.outputs = outputs_;
  if (command_->count("--passes") != 0) options.pipeline = pipeline_of(passes_);
  if (!disabled_.empty()) options.pipeline = pipeline_without(disabled_);
  if (kernels_ == "onednn") {
    options.compile.kernels = backend::Kernels::onednn;
  } else if (kernels_ != "all") {
    options.compile.force = kernels_;
  }
  options.compile.accuracy = accuracy_ == "fast" ? backend::Accuracy::fast : backend::Accuracy::safe;
  options.compile.low_memory = memory_ == "low";
  options.tune = tune_ == "full" ? Tune::full : tune_ == "cached" ? Tune::cached : Tune::off;
  options.tune_file = tune_file_;
  options.isa = isa_;
  options.threads = threads_;
  return options;
}

std::string kernels_text(const backend::CompileOptions& options) {
  if (!options.force.empty()) return options.force;
  return options.kernels == backend::Kernels::onednn ? "onednn" : "all";
}

}  // namespace deeper::tools
