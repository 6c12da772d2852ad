#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deeper::ir {

// Element types a value can have. All floating types of ONNX are imported as f32: computation is fp32.
// Values of an integer type that exist at run time are computed and stored as f32 numbers without a fraction.
enum class DataType : std::uint8_t { f32, i64, i32, u8, i8, boolean };

std::string_view to_string(DataType type);
std::string_view onnx_name(DataType type);  // "float", "int64", ...
std::optional<DataType> parse_data_type(std::string_view text);

// Extents, outermost first; rank 0 is a scalar. Images are NCHW as in ONNX.
using Shape = std::vector<std::int64_t>;

// Number of elements; 1 for a scalar. Throws ModelError where the product overflows or an extent is negative.
std::int64_t element_count(const Shape& shape);

// Row-major strides in elements.
Shape row_major_strides(const Shape& shape);

// The shape two operands have after numpy broadcasting; nothing where they do not broadcast.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

struct Type {
  DataType dtype = DataType::f32;
  Shape shape;
  bool operator==(const Type&) const = default;
};

// "f32[1,3,224,224]"
std::string to_string(const Type& type);

}  // namespace deeper::ir
