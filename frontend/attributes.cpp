#include "frontend/attributes.h"

#include <fmt/format.h>

#include "ir/error.h"

namespace deeper::frontend {
namespace {

using onnx::AttributeProto;

AttributeProto::AttributeType type_of(const AttributeProto& attribute) {
  if (attribute.type() != AttributeProto::UNDEFINED) return attribute.type();
  if (attribute.has_f()) return AttributeProto::FLOAT;
  if (attribute.has_i()) return AttributeProto::INT;
  if (attribute.has_s()) return AttributeProto::STRING;
  if (attribute.has_t()) return AttributeProto::TENSOR;
  if (attribute.floats_size() > 0) return AttributeProto::FLOATS;
  if (attribute.ints_size() > 0) return AttributeProto::INTS;
  return AttributeProto::UNDEFINED;
}

std::string_view type_name(AttributeProto::AttributeType type) {
  if (type == AttributeProto::INT) return "an integer";
  if (type == AttributeProto::FLOAT) return "a number";
  if (type == AttributeProto::STRING) return "a text";
  if (type == AttributeProto::TENSOR) return "a tensor";
  if (type == AttributeProto::SPARSE_TENSOR) return "a sparse tensor";
  if (type == AttributeProto::INTS) return "a list of integers";
  if (type == AttributeProto::FLOATS) return "a list of numbers";
  return "of another type";
}

}  // namespace

const AttributeProto* Attributes::find(std::string_view name) const {
  for (const AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

const AttributeProto* Attributes::find(std::string_view name, AttributeProto::AttributeType type) const {
  const AttributeProto* attribute = find(name);
  if (attribute == nullptr) return nullptr;
  const AttributeProto::AttributeType found = type_of(*attribute);
  const bool empty_list = found == AttributeProto::UNDEFINED;
  if (found != type && !empty_list) {
    throw ModelError(fmt::format("attribute '{}' is {}, must be {}", name, type_name(found), type_name(type)));
  }
  return attribute;
}

std::optional<std::int64_t> Attributes::integer(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::INT);
  return attribute != nullptr ? std::optional(attribute->i()) : std::nullopt;
}

std::optional<float> Attributes::number(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::FLOAT);
  return attribute != nullptr ? std::optional(attribute->f()) : std::nullopt;
}

std::optional<std::string> Attributes::text(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::STRING);
  return attribute != nullptr ? std::optional(attribute->s()) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> Attributes::integers(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::INTS);
  if (attribute == nullptr) return std::nullopt;
  return std::vector<std::int64_t>(attribute->ints().begin(), attribute->ints().end());
}

std::optional<std::vector<float>> Attributes::numbers(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::FLOATS);
  if (attribute == nullptr) return std::nullopt;
  return std::vector<float>(attribute->floats().begin(), attribute->floats().end());
}

const onnx::TensorProto* Attributes::tensor(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::TENSOR);
  return attribute != nullptr ? &attribute->t() : nullptr;
}

const onnx::SparseTensorProto* Attributes::sparse_tensor(std::string_view name) const {
  const AttributeProto* attribute = find(name, AttributeProto::SPARSE_TENSOR);
  return attribute != nullptr ? &attribute->sparse_tensor() : nullptr;
}

std::int64_t Attributes::integer_or(std::string_view name, std::int64_t fallback) const {
  return integer(name).value_or(fallback);
}

float Attributes::number_or(std::string_view name, float fallback) const { return number(name).value_or(fallback); }

std::string Attributes::text_or(std::string_view name, std::string_view fallback) const {
  return text(name).value_or(std::string(fallback));
}

bool Attributes::flag_or(std::string_view name, bool fallback) const { return integer_or(name, fallback ? 1 : 0) != 0; }

std::int64_t Attributes::required_integer(std::string_view name) const {
  const std::optional<std::int64_t> value = integer(name);
  if (!value) throw ModelError(fmt::format("attribute '{}' is missing", name));
  return *value;
}

}  // namespace deeper::frontend
