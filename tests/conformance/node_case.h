#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "frontend/import.h"
#include "ir/evaluate.h"

namespace deeper::conformance {

// A folder of the ONNX project's test data: model.onnx and test_data_set_*/{input,output}_*.pb.
struct NodeCase {
  std::string name;
  std::filesystem::path folder;
};

// What runs an imported graph: the oracle, or a compiled plan.
struct Engine {
  std::string name;
  std::function<std::vector<ir::Array>(const ir::Graph&, std::span<const ir::Array>)> run;
  double relative_tolerance = 0;
  double absolute_tolerance = 0;
};

enum class Outcome : std::uint8_t { passed, refused, failed };

struct Result {
  Outcome outcome = Outcome::passed;
  std::string text;  // why not passed
};

// Cases below `root`, by name.
std::vector<NodeCase> find_cases(const std::filesystem::path& root);

// Imports and runs a case on every data set. The node tests feed shapes, axes and the like through graph inputs, which
// a static compiler takes as constants: where the model as it stands is refused, its inputs but the first, then all of
// them, are made constants. Refused means a ModelError at import; anything else that does not match is a failure.
// `scratch` is a folder for the models made so.
Result run_case(const NodeCase& node_case, const Engine& engine, const std::filesystem::path& scratch);

}  // namespace deeper::conformance
