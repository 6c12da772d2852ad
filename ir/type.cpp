#include "ir/type.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "ir/error.h"

namespace deeper::ir {
namespace {

constexpr std::array<std::string_view, 6> kDataTypeNames = {"f32", "i64", "i32", "u8", "i8", "bool"};
constexpr std::array<std::string_view, 6> kOnnxNames = {"float", "int64", "int32", "uint8", "int8", "bool"};

}  // namespace

std::string_view to_string(DataType type) { return kDataTypeNames.at(static_cast<std::size_t>(type)); }

std::string_view onnx_name(DataType type) { return kOnnxNames.at(static_cast<std::size_t>(type)); }

std::optional<DataType> parse_data_type(std::string_view text) {
  const auto* found = std::ranges::find(kDataTypeNames, text);
  if (found == kDataTypeNames.end()) return std::nullopt;
  return static_cast<DataType>(found - kDataTypeNames.begin());
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) {
      throw ModelError(fmt::format("the shape [{}] has no element count that fits", fmt::join(shape, ",")));
    }
  }
  return count;
}

Shape row_major_strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

std::string to_string(const Type& type) {
  return fmt::format("{}[{}]", to_string(type.dtype), fmt::join(type.shape, ","));
}

}  // namespace deeper::ir
