#include "frontend/bind_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "frontend/decode_tensor.h"
#include "frontend/element_type.h"
#include "ir/error.h"

namespace deeper::frontend {
namespace {

using Bindings = std::map<std::string, std::int64_t>;

// An input as the model declares it: for each axis its extent, or the name of its dim.
struct Declared {
  struct Dim {
    std::int64_t extent = 0;  // 0: symbolic
    std::string name;
  };
  std::string name;
  std::int32_t onnx_type = 0;
  bool has_shape = false;
  std::vector<Dim> dims;
};

Declared read_declaration(const onnx::ValueInfoProto& input) {
  if (!input.type().has_tensor_type()) throw ModelError(fmt::format("input '{}' is not a tensor", input.name()));
  const onnx::TypeProto_Tensor& tensor = input.type().tensor_type();
  Declared result{.name = input.name(), .onnx_type = tensor.elem_type(), .has_shape = tensor.has_shape(), .dims = {}};
  for (const onnx::TensorShapeProto_Dimension& dim : tensor.shape().dim()) {
    if (dim.dim_value() > 0) {
      result.dims.push_back({dim.dim_value(), {}});
    } else {
      std::string name = dim.dim_param();
      if (name.empty()) name = fmt::format("{}[{}]", input.name(), result.dims.size());
      result.dims.push_back({0, std::move(name)});
    }
  }
  return result;
}

void bind_dim(Bindings& bindings, const std::string& dim, std::int64_t extent) {
  if (extent < 1 || extent > kMostElements) {
    throw ModelError(fmt::format("dim '{}' cannot be {}", dim, extent));
  }
  const auto [at, is_new] = bindings.emplace(dim, extent);
  if (!is_new && at->second != extent) {
    throw ModelError(fmt::format("dim '{}' is both {} and {}", dim, at->second, extent));
  }
}

void check_dim_names(const std::vector<Declared>& inputs, const ImportOptions& options) {
  std::set<std::string> names;
  for (const Declared& input : inputs) {
    for (const Declared::Dim& dim : input.dims) {
      if (dim.extent == 0) names.insert(dim.name);
    }
  }
  for (const auto& [name, extent] : options.dims) {
    if (names.contains(name)) continue;
    throw ModelError(names.empty() ? fmt::format("there is no dim '{}': every extent is fixed", name)
                                   : fmt::format("there is no dim '{}', only {}", name, fmt::join(names, ", ")));
  }
}

// The shapes given, by the names of inputs; a single one under another name is that of the only input.
std::map<std::string, ir::Shape> match_shapes(const std::vector<Declared>& inputs, const ModelIndex& index,
                                              const ImportOptions& options) {
  const auto& given = options.input_shapes;
  if (given.size() == 1 && inputs.size() == 1) return {{inputs[0].name, given.begin()->second}};
  for (const auto& [name, shape] : given) {
    if (!index.inputs.contains(name)) throw ModelError(fmt::format("there is no input '{}'", name));
  }
  return given;
}

// Gives a declaration the shape that the options name for its input.
void apply_shape(Declared& input, const ir::Shape& shape, Bindings& bindings) {
  if (!input.has_shape) {
    input.has_shape = true;
    for (const std::int64_t extent : shape) input.dims.push_back({extent, {}});
    return;
  }
  bool fits = shape.size() == input.dims.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    if (input.dims[i].extent == 0) {
      bind_dim(bindings, input.dims[i].name, shape[i]);
    } else {
      fits = input.dims[i].extent == shape[i];
    }
  }
  if (fits) return;
  std::vector<std::string> declared;
  for (const Declared::Dim& dim : input.dims) {
    declared.push_back(dim.extent == 0 ? dim.name : std::to_string(dim.extent));
  }
  throw ModelError(
      fmt::format("input '{}' is [{}], not [{}]", input.name, fmt::join(declared, ","), fmt::join(shape, ",")));
}

BoundInput resolve(const Declared& input, const Bindings& bindings) {
  if (!input.has_shape) throw ModelError(fmt::format("the shape of input '{}' is not known", input.name));
  BoundInput result{.name = input.name, .onnx_type = input.onnx_type, .type = {}};
  result.type.dtype = require_imported_type(input.onnx_type, fmt::format("input '{}'", input.name));
  for (const Declared::Dim& dim : input.dims) {
    const auto bound = bindings.find(dim.name);
    if (dim.extent == 0 && bound == bindings.end()) {
      throw ModelError(
          fmt::format("dim '{}' of input '{}' is not known (--dim {}=...)", dim.name, input.name, dim.name));
    }
    result.type.shape.push_back(dim.extent == 0 ? bound->second : dim.extent);
  }
  checked_element_count(result.type.shape);
  return result;
}

}  // namespace

std::vector<BoundInput> bind_inputs(const onnx::GraphProto& graph, const ModelIndex& index,
                                    const std::unordered_set<std::string_view>& needed, const ImportOptions& options) {
  std::vector<Declared> inputs;
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (!index.inputs.contains(input.name())) continue;
    if (options.outputs.empty() || needed.contains(input.name())) inputs.push_back(read_declaration(input));
  }
  const std::map<std::string, ir::Shape> shapes = match_shapes(inputs, index, options);
  check_dim_names(inputs, options);
  Bindings bindings;
  for (const auto& [name, extent] : options.dims) bind_dim(bindings, name, extent);
  for (Declared& input : inputs) {
    const auto shape = shapes.find(input.name);
    if (shape != shapes.end()) apply_shape(input, shape->second, bindings);
  }
  for (const Declared& input : inputs) {
    if (!input.dims.empty() && input.dims[0].extent == 0) bindings.emplace(input.dims[0].name, 1);
  }
  std::vector<BoundInput> result;
  result.reserve(inputs.size());
  for (const Declared& input : inputs) result.push_back(resolve(input, bindings));
  return result;
}

}  // namespace deeper::frontend
