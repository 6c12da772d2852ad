#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ir/evaluate.h"

namespace deeper::models {

// Where the models for tests lie (beside the repository, or $DEEPER_SHARED/models); empty where there are none.
std::filesystem::path models_folder();

// |actual - expected| / |expected| in the Euclidean norm; infinite where the shapes differ.
double relative_error(const ir::Array& actual, const ir::Array& expected);

// An exporter's graph with seeded weights put back, in a folder of its own that goes with this object: together they
// take gigabytes.
class Refilled {
 public:
  explicit Refilled(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~Refilled();
  Refilled(const Refilled&) = delete;
  Refilled& operator=(const Refilled&) = delete;
  std::filesystem::path model() const { return folder_ / "model.onnx"; }
  std::filesystem::path input() const { return folder_ / "input.npy"; }

 private:
  std::filesystem::path folder_;
};

// Puts weights and input back into skeleton `name` (tools/refill.py beside the models). Throws std::runtime_error where
// that fails.
Refilled refill(const std::string& name);

// Names of all skeletons, sorted; empty where there are none.
std::vector<std::string> skeleton_names();

}  // namespace deeper::models
