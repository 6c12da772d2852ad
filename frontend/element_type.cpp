#include "frontend/element_type.h"

#include <fmt/format.h>

#include <array>

#include "frontend/onnx_proto.h"
#include "ir/error.h"

namespace deeper::frontend {
namespace {

using onnx::TensorProto;

struct ElementType {
  std::int32_t onnx_type;
  std::string_view name;
  std::optional<ir::DataType> imported;
};

// Numbers above 16 are younger than the installed library's messages.
constexpr std::array kElementTypes = {
    ElementType{TensorProto::UNDEFINED, "undefined", std::nullopt},
    ElementType{TensorProto::FLOAT, "float", ir::DataType::f32},
    ElementType{TensorProto::UINT8, "uint8", ir::DataType::u8},
    ElementType{TensorProto::INT8, "int8", ir::DataType::i8},
    ElementType{TensorProto::UINT16, "uint16", ir::DataType::i32},
    ElementType{TensorProto::INT16, "int16", ir::DataType::i32},
    ElementType{TensorProto::INT32, "int32", ir::DataType::i32},
    ElementType{TensorProto::INT64, "int64", ir::DataType::i64},
    ElementType{TensorProto::STRING, "string", std::nullopt},
    ElementType{TensorProto::BOOL, "bool", ir::DataType::boolean},
    ElementType{TensorProto::FLOAT16, "float16", ir::DataType::f32},
    ElementType{TensorProto::DOUBLE, "double", ir::DataType::f32},
    ElementType{TensorProto::UINT32, "uint32", ir::DataType::i64},
    ElementType{TensorProto::UINT64, "uint64", ir::DataType::i64},
    ElementType{TensorProto::COMPLEX64, "complex64", std::nullopt},
    ElementType{TensorProto::COMPLEX128, "complex128", std::nullopt},
    ElementType{TensorProto::BFLOAT16, "bfloat16", ir::DataType::f32},
    ElementType{17, "float8e4m3fn", std::nullopt},
    ElementType{18, "float8e4m3fnuz", std::nullopt},
    ElementType{19, "float8e5m2", std::nullopt},
    ElementType{20, "float8e5m2fnuz", std::nullopt},
    ElementType{21, "uint4", std::nullopt},
    ElementType{22, "int4", std::nullopt},
    ElementType{23, "float4e2m1", std::nullopt},
};

const ElementType* find(std::int32_t onnx_type) {
  for (const ElementType& row : kElementTypes) {
    if (row.onnx_type == onnx_type) return &row;
  }
  return nullptr;
}

}  // namespace

std::string element_type_name(std::int32_t onnx_type) {
  const ElementType* row = find(onnx_type);
  return row != nullptr ? std::string(row->name) : fmt::format("type {}", onnx_type);
}

std::optional<ir::DataType> imported_type(std::int32_t onnx_type) {
  const ElementType* row = find(onnx_type);
  return row != nullptr ? row->imported : std::nullopt;
}

ir::DataType require_imported_type(std::int32_t onnx_type, std::string_view what) {
  const std::optional<ir::DataType> type = imported_type(onnx_type);
  if (!type) throw ModelError(fmt::format("{} has element type {}, not supported", what, element_type_name(onnx_type)));
  return *type;
}

}  // namespace deeper::frontend
