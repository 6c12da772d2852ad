#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "runtime/plan.h"
#include "tools/npy.h"

// Tensors from the command line to the ports of a plan.
namespace deeper::tools {

struct NamedArray {
  std::string name;  // empty: the only input
  NpyArray array;
};

// Reads "[NAME=]FILE" for every text; .npy or .pb (ONNX TensorProto, whose own name counts where none is given). Throws
// ModelError.
std::vector<NamedArray> read_inputs(const std::vector<std::string>& texts);

// The shapes by name, for binding symbolic dims (ImportOptions::input_shapes).
std::map<std::string, ir::Shape> shapes_of(std::span<const NamedArray> arrays);

// One f32 buffer per input port, converted to the element type the model declares. Throws ModelError for an input that
// is missing, unknown, given twice or of another shape.
std::vector<std::vector<float>> bind_inputs(std::span<const NamedArray> arrays, std::span<const runtime::Port> ports);

// Standard normal numbers for every port, equal on every machine: what commands use where no input is given. Ports of
// integer type get whole numbers from 0 to 255.
std::vector<std::vector<float>> seeded_inputs(std::span<const runtime::Port> ports, std::uint64_t seed);

// What Session::run takes.
std::vector<std::span<const float>> views(const std::vector<std::vector<float>>& buffers);
std::vector<std::span<float>> views(std::vector<std::vector<float>>& buffers);
std::vector<std::vector<float>> output_buffers(std::span<const runtime::Port> ports);

}  // namespace deeper::tools
