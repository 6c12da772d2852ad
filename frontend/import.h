#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace deeper::frontend {

struct ImportOptions {
  // Values of symbolic dims by name. A dim named in none of them: the first dim of an input is 1 (batch), any other is
  // an error that names it.
  std::map<std::string, std::int64_t> dims;
  // Shapes of inputs by name (from the tensors about to be run); they bind symbolic dims too. A single entry whose name
  // the model does not have is that of its only input.
  std::map<std::string, ir::Shape> input_shapes;
  // Outputs wanted, by name; empty: all of the model's. Any value of the model may be named.
  std::vector<std::string> outputs;
};

// Element type that the model declares for an input or output, where it is not what the IR computes in.
struct PortInfo {
  std::string name;
  std::string onnx_type;  // "float", "float16", "uint8", ...
};

struct Imported {
  ir::Graph graph;
  std::vector<PortInfo> inputs;
  std::vector<PortInfo> outputs;
  std::uint64_t model_hash = 0;  // XXH3 of the model file
};

// Reads an ONNX model (opset 3 to 22 of the default domain) with its external data. Throws ModelError with file, node,
// operator and opset for whatever is malformed or not supported, before anything large is computed.
Imported import_model(const std::filesystem::path& path, const ImportOptions& options);
ir::Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace deeper::frontend
