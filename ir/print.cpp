// The text form of a graph; parse.cpp reads it back.
#include "ir/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ir/enums.h"
#include "ir/error.h"

namespace deeper::ir {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./-:").find(c) != std::string_view::npos;
}

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string name_text(char sigil, std::string_view name) {
  const bool plain = !name.empty() && !name.ends_with(':') && std::ranges::all_of(name, is_plain);
  return sigil + (plain ? std::string(name) : quote(name));
}

// One overload per type an attribute can have.
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(std::int64_t value) { return fmt::format("{}", value); }
std::string text_of(DataType value) { return std::string(to_string(value)); }

std::string text_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value) && bits != 0x7fc00000U) return fmt::format("nan({:#010x})", bits);
  return fmt::format("{}", value);
}

template <typename Enum>
requires std::is_enum_v<Enum> std::string text_of(Enum value) { return std::string(enum_name(value)); }

template <typename Range>
requires requires(const Range& range) { range.begin() != range.end(); }
std::string text_of(const Range& values) {
  std::string result = "[";
  for (const auto& value : values) {
    if (result.size() > 1) result += ',';
    result += text_of(value);
  }
  return result + ']';
}

int parameter_count(const Activation& activation) {
  const bool two = activation.function == Function::clip || activation.function == Function::hard_sigmoid;
  if (two || std::bit_cast<std::uint32_t>(activation.beta) != 0) return 2;
  const bool one = activation.function == Function::leaky_relu || std::bit_cast<std::uint32_t>(activation.alpha) != 0;
  return one ? 1 : 0;
}

std::string text_of(const Activation& activation) {
  std::string result(enum_name(activation.function));
  const int parameters = parameter_count(activation);
  if (parameters == 0) return result;
  result += '(' + text_of(activation.alpha);
  if (parameters == 2) result += ", " + text_of(activation.beta);
  return result + ')';
}

template <typename T>
std::string attributes(const T& op) {
  const T plain;
  std::string result;
  const auto add = [&](const auto& field) {
    const std::string text = text_of(op.*field.member);
    if (text == text_of(plain.*field.member)) return;
    if (!result.empty()) result += ", ";
    result += fmt::format("{}={}", field.name, text);
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, T::fields());
  return result.empty() ? result : " {" + result + '}';
}

std::string attributes_of(const Op& op) {
  return std::visit([](const auto& o) { return attributes(o); }, op);
}

// "%x: f32[1,2]" with the slot where there is one.
std::string declaration(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  std::string result = fmt::format("{}: {}", name_text('%', value.name), to_string(value.type));
  if (value.slot) {
    result += fmt::format(" in {}[{}]", name_text('$', graph.buffer(value.slot->buffer).name), value.slot->channel);
  }
  return result;
}

std::string by_value(const Tensor& tensor) {
  std::string result = "{";
  const auto add = [&](const auto& elements) {
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) result += ", ";
      result += text_of(elements[i]);
    }
  };
  if (tensor.is_f32()) {
    add(tensor.floats());
  } else {
    add(tensor.ints());
  }
  return result + '}';
}

// Bytes of large constants, gathered while printing and written at the end.
class SideFile {
 public:
  // Gives the offset of the tensor's bytes.
  std::size_t add(const Tensor& tensor) {
    constexpr std::size_t kAlignment = 64;
    bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
    const std::size_t offset = bytes_.size();
    const auto bytes = tensor.is_f32() ? std::as_bytes(tensor.floats()) : std::as_bytes(tensor.ints());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return offset;
  }

  void write(const std::string& path) const {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes_.data()), static_cast<std::streamsize>(bytes_.size()));
    file.close();
    if (!file) throw ModelError(fmt::format("cannot write '{}'", path));
  }

 private:
  std::vector<std::byte> bytes_;
};

std::string constant_text(const Tensor& tensor, const PrintOptions& options, SideFile& side_file) {
  if (tensor.seed()) return fmt::format("seed({})", *tensor.seed());
  if (options.side_file.empty() || tensor.size() <= options.inline_limit) return by_value(tensor);
  const std::string file_name = std::filesystem::path(options.side_file).filename().string();
  return fmt::format("file({}, {})", quote(file_name), side_file.add(tensor));
}

std::string nodes_and_outputs(const Graph& graph) {
  std::string text;
  for (const NodeId id : graph.order()) text += fmt::format("  {}\n", print_node(graph, id));
  for (const Output& output : graph.outputs()) {
    text += fmt::format("  output {} = {}\n", quote(output.name), name_text('%', graph.value(output.value).name));
  }
  return text + "}\n";
}

// The whole text; `constant` gives what follows a constant's type.
template <typename Constant>
std::string print_with(const Graph& graph, const Constant& constant) {
  std::string text = fmt::format("graph {} {{\n", quote(graph.name));
  for (const ValueId id : graph.inputs()) text += fmt::format("  input {}\n", declaration(graph, id));
  for (std::uint32_t i = 0; i < graph.value_capacity(); ++i) {
    const ValueId id{i};
    if (!graph.constant(id)) continue;
    text += fmt::format("  const {}{}\n", declaration(graph, id), constant(*graph.constant(id)));
  }
  for (const Buffer& buffer : graph.buffers()) {
    text += fmt::format("  buffer {}[{}]\n", name_text('$', buffer.name), buffer.channels);
  }
  return text + nodes_and_outputs(graph);
}

}  // namespace

std::string print_op(const Op& op) { return std::string(op_name(op)) + attributes_of(op); }

std::string print_node(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  std::string text = fmt::format("{} = {}(", declaration(graph, node.output), op_name(node.op));
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (i > 0) text += ", ";
    text += node.inputs[i].valid() ? name_text('%', graph.value(node.inputs[i]).name) : "_";
  }
  text += ')' + attributes_of(node.op);
  if (!node.name.empty()) text += ' ' + quote(node.name);
  for (std::size_t i = 0; i < node.origins.size(); ++i) text += (i == 0 ? " from " : ", ") + quote(node.origins[i]);
  return text;
}

std::string print_summary(const Graph& graph) {
  return print_with(graph, [](const Tensor&) { return ""; });
}

std::string print(const Graph& graph, const PrintOptions& options) {
  SideFile side_file;
  std::string text =
      print_with(graph, [&](const Tensor& tensor) { return " = " + constant_text(tensor, options, side_file); });
  if (!options.side_file.empty()) side_file.write(options.side_file);
  return text;
}

std::string print(const Graph& graph) { return print(graph, PrintOptions{}); }

}  // namespace deeper::ir
