#include "tools/tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ranges>

#include "frontend/tensor_file.h"
#include "ir/error.h"
#include "ir/half.h"

namespace deeper::tools {
namespace {

NamedArray read_input(const std::string& text) {
  // A file whose name has a '=' is still found when the whole text names one.
  const std::size_t equals = text.find('=');
  NamedArray result;
  std::filesystem::path path = text;
  if (equals != std::string::npos && !std::filesystem::exists(path)) {
    result.name = text.substr(0, equals);
    path = text.substr(equals + 1);
  }
  if (path.extension() == ".npy") {
    result.array = read_npy(path);
  } else if (path.extension() == ".pb") {
    frontend::TensorFile file = frontend::read_tensor_file(path);
    const ir::Tensor& tensor = file.tensor;
    result.array.shape = tensor.shape();
    result.array.data.resize(static_cast<std::size_t>(tensor.size()));
    for (std::size_t i = 0; i < result.array.data.size(); ++i)
      result.array.data[i] = tensor.at(static_cast<std::int64_t>(i));
    if (result.name.empty()) result.name = std::move(file.name);
  } else {
    throw ModelError(fmt::format("{}: an input is a .npy or a .pb file", path.string()));
  }
  return result;
}

float convert(double number, std::string_view onnx_type) {
  struct Range {
    std::string_view type;
    double least;
    double most;
  };
  static constexpr std::array<Range, 6> kIntegers = {{{"uint8", 0, 255},
                                                      {"int8", -128, 127},
                                                      {"uint16", 0, 65535},
                                                      {"int16", -32768, 32767},
                                                      {"int32", -2147483648.0, 2147483647.0},
                                                      {"int64", -9.2e18, 9.2e18}}};
  if (onnx_type == "float16") return ir::round_to_half(static_cast<float>(number));
  for (const Range& range : kIntegers) {
    if (range.type == onnx_type) return static_cast<float>(std::clamp(std::trunc(number), range.least, range.most));
  }
  return static_cast<float>(number);
}

std::vector<float> bind(const NpyArray& array, const runtime::Port& port) {
  if (array.shape != port.type.shape) {
    throw ModelError(fmt::format("input '{}' takes shape [{}], the tensor given has [{}]", port.name,
                                 fmt::join(port.type.shape, ","), fmt::join(array.shape, ",")));
  }
  std::vector<float> buffer(array.data.size());
  std::ranges::transform(array.data, buffer.begin(), [&](double number) { return convert(number, port.onnx_type); });
  return buffer;
}

}  // namespace

std::vector<NamedArray> read_inputs(const std::vector<std::string>& texts) {
  std::vector<NamedArray> result;
  std::ranges::transform(texts, std::back_inserter(result), read_input);
  return result;
}

std::map<std::string, ir::Shape> shapes_of(std::span<const NamedArray> arrays) {
  std::map<std::string, ir::Shape> shapes;
  for (const NamedArray& array : arrays) shapes[array.name] = array.array.shape;
  return shapes;
}

std::vector<std::vector<float>> bind_inputs(std::span<const NamedArray> arrays, std::span<const runtime::Port> ports) {
  std::vector<std::vector<float>> buffers(ports.size());
  std::vector<bool> bound(ports.size(), false);
  for (const NamedArray& array : arrays) {
    auto port = std::ranges::find(ports, array.name, &runtime::Port::name);
    if (port == ports.end() && arrays.size() == 1 && ports.size() == 1) port = ports.begin();
    if (port == ports.end()) {
      std::vector<std::string_view> names;
      for (const runtime::Port& known : ports) names.push_back(known.name);
      throw ModelError(fmt::format("the model has no input '{}'; it has {}", array.name, fmt::join(names, ", ")));
    }
    const auto index = static_cast<std::size_t>(port - ports.begin());
    if (bound[index]) throw ModelError(fmt::format("input '{}' is given twice", port->name));
    bound[index] = true;
    buffers[index] = bind(array.array, *port);
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (!bound[i])
      throw ModelError(fmt::format("input '{}' is missing: give --input {}=FILE", ports[i].name, ports[i].name));
  }
  return buffers;
}

std::vector<std::vector<float>> seeded_inputs(std::span<const runtime::Port> ports, std::uint64_t seed) {
  std::vector<std::vector<float>> buffers;
  for (const runtime::Port& port : ports) {
    const ir::Tensor tensor = ir::Tensor::seeded(port.type.shape, seed++);
    std::vector<float>& buffer = buffers.emplace_back(tensor.floats().begin(), tensor.floats().end());
    const bool integer = port.onnx_type.starts_with("int") || port.onnx_type.starts_with("uint");
    for (float& x : buffer) x = integer ? std::clamp(std::round(x * 400 + 128), 0.0F, 255.0F) : x * 10;
  }
  return buffers;
}

std::vector<std::span<const float>> views(const std::vector<std::vector<float>>& buffers) {
  return {buffers.begin(), buffers.end()};
}

std::vector<std::span<float>> views(std::vector<std::vector<float>>& buffers) {
  return {buffers.begin(), buffers.end()};
}

std::vector<std::vector<float>> output_buffers(std::span<const runtime::Port> ports) {
  std::vector<std::vector<float>> buffers;
  for (const runtime::Port& port : ports)
    buffers.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
  return buffers;
}

}  // namespace deeper::tools
