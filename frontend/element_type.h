#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ir/type.h"

// ONNX element types (TensorProto.DataType) and what they are imported as.
namespace deeper::frontend {

// "float", "float16", "uint8", ...; "type 99" for a number that ONNX does not define.
std::string element_type_name(std::int32_t onnx_type);

// The IR type a value of this ONNX type is imported as; nothing where it is not supported (strings, complex, 8-bit
// floats, 4-bit integers). All floating types become f32; 16-bit integers i32; unsigned 32 and 64 bits i64.
std::optional<ir::DataType> imported_type(std::int32_t onnx_type);

// The same; ModelError naming `what` and the type where it is not supported.
ir::DataType require_imported_type(std::int32_t onnx_type, std::string_view what);

}  // namespace deeper::frontend
