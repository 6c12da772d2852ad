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

// An exporter's graph with seeded weights put back.
struct Refilled {
  std::filesystem::path model;
  std::filesystem::path input;
};

// Puts weights and input back into skeleton `name` (tools/refill.py beside the models), once; later calls find the
// files in the build folder. Throws std::runtime_error where that fails.
Refilled refill(const std::string& name);

// Names of all skeletons, sorted; empty where there are none.
std::vector<std::string> skeleton_names();

}  // namespace deeper::models
