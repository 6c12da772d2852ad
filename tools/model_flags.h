#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/open.h"

namespace CLI {
class App;
}

namespace deeper::tools {

// The model argument and the flags that say how it is imported, optimized and compiled; shared by every subcommand that
// takes a model. Lives as long as the CLI::App.
class ModelFlags {
 public:
  // `output_flag`: the name of the flag that picks outputs of the model ("--output", or another where --output names a
  // file).
  void add_to(CLI::App& command, const std::string& output_flag);

  const std::filesystem::path& model() const { return model_; }
  // Throws CLI::ValidationError for a flag whose value makes no sense.
  OpenOptions options() const;

 private:
  std::filesystem::path model_;
  std::vector<std::string> dims_;
  std::vector<std::string> outputs_;
  std::vector<std::string> disabled_;
  std::string passes_;
  std::string kernels_ = "all";
  std::string tune_ = "off";
  std::filesystem::path tune_file_;
  std::string accuracy_ = "safe";
  std::string memory_ = "any";
  std::string isa_;
  int threads_ = 0;
  CLI::App* command_ = nullptr;
};

// "all", "onednn" or the algorithm that --kernels forces.
std::string kernels_text(const backend::CompileOptions& options);

}  // namespace deeper::tools
