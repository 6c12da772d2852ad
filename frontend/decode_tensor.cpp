#include "frontend/decode_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "frontend/element_type.h"
#include "ir/error.h"
#include "ir/half.h"

namespace deeper::frontend {
namespace {

using onnx::TensorProto;

std::int64_t from_unsigned64(std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw ModelError(fmt::format("holds {}, beyond 64-bit signed integers", value));
  }
  return static_cast<std::int64_t>(value);
}

// Elements of one tensor; `Stored` is an element as raw data holds it.
class Elements {
 public:
  Elements(const TensorProto& tensor, const ExternalData& external, ir::Shape shape)
      : tensor_(tensor), external_(external), shape_(std::move(shape)), count_(checked_element_count(shape_)) {}

  template <typename Stored, typename Field, typename Convert>
  ir::Tensor floats(const Field& field, Convert convert) const {
    return ir::Tensor::f32(shape_, read<Stored, float>(field, convert));
  }

  template <typename Stored, typename Field, typename Convert>
  ir::Tensor integers(const Field& field, Convert convert) const {
    const ir::DataType type = require_imported_type(tensor_.data_type(), "the tensor");
    return ir::Tensor::integer(type, shape_, read<Stored, std::int64_t>(field, convert));
  }
  template <typename Stored, typename Field>
  ir::Tensor integers(const Field& field) const {
    return integers<Stored>(field, [](Stored value) { return static_cast<std::int64_t>(value); });
  }

 private:
  void require_count(std::uint64_t held, std::string_view unit, std::uint64_t wanted) const {
    if (held == wanted) return;
    throw ModelError(fmt::format("holds {} {}, the shape [{}] of {} takes {}", held, unit, fmt::join(shape_, ","),
                                 element_type_name(tensor_.data_type()), wanted));
  }

  template <typename Stored, typename Result, typename Field, typename Convert>
  std::vector<Result> read(const Field& field, Convert convert) const {
    const auto count = static_cast<std::size_t>(count_);
    if (tensor_.data_location() == TensorProto::EXTERNAL) {
      return from_bytes<Stored, Result>(external_.read(tensor_, count * sizeof(Stored)), convert);
    }
    if (tensor_.has_raw_data()) {
      require_count(tensor_.raw_data().size(), "bytes", count * sizeof(Stored));
      return from_bytes<Stored, Result>(tensor_.raw_data(), convert);
    }
    require_count(static_cast<std::uint64_t>(field.size()), "elements", count);
    std::vector<Result> result(count);
    for (std::size_t i = 0; i < count; ++i) result[i] = convert(static_cast<Stored>(field[static_cast<int>(i)]));
    return result;
  }

  template <typename Stored, typename Result, typename Convert>
  std::vector<Result> from_bytes(const std::string& bytes, Convert convert) const {
    std::vector<Result> result(static_cast<std::size_t>(count_));
    for (std::size_t i = 0; i < result.size(); ++i) {
      Stored stored;
      std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
      result[i] = convert(stored);
    }
    return result;
  }

  const TensorProto& tensor_;
  const ExternalData& external_;
  ir::Shape shape_;
  std::int64_t count_;
};

ir::Tensor decode_elements(const TensorProto& tensor, const Elements& elements) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return elements.floats<float>(tensor.float_data(), [](float value) { return value; });
    case TensorProto::DOUBLE:
      return elements.floats<double>(tensor.double_data(), [](double value) { return static_cast<float>(value); });
    case TensorProto::FLOAT16:
      return elements.floats<std::uint16_t>(tensor.int32_data(), ir::half_to_float);
    case TensorProto::BFLOAT16:
      return elements.floats<std::uint16_t>(tensor.int32_data(), ir::bfloat16_to_float);
    case TensorProto::INT64:
      return elements.integers<std::int64_t>(tensor.int64_data());
    case TensorProto::INT32:
      return elements.integers<std::int32_t>(tensor.int32_data());
    case TensorProto::INT16:
      return elements.integers<std::int16_t>(tensor.int32_data());
    case TensorProto::INT8:
      return elements.integers<std::int8_t>(tensor.int32_data());
    case TensorProto::UINT16:
      return elements.integers<std::uint16_t>(tensor.int32_data());
    case TensorProto::UINT8:
      return elements.integers<std::uint8_t>(tensor.int32_data());
    case TensorProto::BOOL:
      return elements.integers<std::uint8_t>(tensor.int32_data(),
                                             [](std::uint8_t value) { return std::int64_t{value != 0 ? 1 : 0}; });
    case TensorProto::UINT32:
      return elements.integers<std::uint32_t>(tensor.uint64_data());
    case TensorProto::UINT64:
      return elements.integers<std::uint64_t>(tensor.uint64_data(), from_unsigned64);
    default:
      require_imported_type(tensor.data_type(), "the tensor");
      throw InternalError("decoding a tensor of a type that is said to be supported");
  }
}

// Row-major positions of a sparse tensor's values: indices are those, or one coordinate per axis.
std::vector<std::size_t> sparse_positions(const ir::Tensor& indices, const ir::Shape& shape, std::int64_t values) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const bool linear = indices.shape() == ir::Shape{values};
  if (indices.is_f32() || (!linear && indices.shape() != ir::Shape{values, rank})) {
    throw ModelError(fmt::format("has indices {} for {} values", to_string(indices.type()), values));
  }
  const ir::Shape strides = linear ? ir::Shape{1} : ir::row_major_strides(shape);
  const ir::Shape extents = linear ? ir::Shape{ir::element_count(shape)} : shape;
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < static_cast<std::size_t>(values); ++i) {
    std::int64_t position = 0;
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      const std::int64_t index = indices.ints()[i * extents.size() + axis];
      if (index < 0 || index >= extents[axis]) throw ModelError(fmt::format("has an index {} outside", index));
      position += index * strides[axis];
    }
    positions.push_back(static_cast<std::size_t>(position));
  }
  return positions;
}

template <typename T>
std::vector<T> scatter(std::span<const T> values, const std::vector<std::size_t>& positions, std::int64_t count) {
  std::vector<T> result(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < positions.size(); ++i) result[positions[i]] = values[i];
  return result;
}

}  // namespace

std::int64_t checked_element_count(const ir::Shape& shape) {
  const std::int64_t count = ir::element_count(shape);
  if (count > kMostElements || std::ranges::any_of(shape, [](std::int64_t extent) { return extent > kMostElements; })) {
    throw ModelError(
        fmt::format("the shape [{}] is larger than the {} elements allowed", fmt::join(shape, ","), kMostElements));
  }
  return count;
}

ir::Tensor decode_tensor(const TensorProto& tensor, const ExternalData& external) {
  if (tensor.has_segment()) throw ModelError("is stored in segments, not supported");
  ir::Shape shape(tensor.dims().begin(), tensor.dims().end());
  return decode_elements(tensor, Elements(tensor, external, std::move(shape)));
}

ir::Tensor decode_sparse_tensor(const onnx::SparseTensorProto& sparse, const ExternalData& external) {
  const ir::Shape shape(sparse.dims().begin(), sparse.dims().end());
  const std::int64_t count = checked_element_count(shape);
  const ir::Tensor values = decode_tensor(sparse.values(), external);
  const ir::Tensor indices = decode_tensor(sparse.indices(), external);
  const std::vector<std::size_t> positions = sparse_positions(indices, shape, values.size());
  if (values.is_f32()) return ir::Tensor::f32(shape, scatter(values.floats(), positions, count));
  return ir::Tensor::integer(values.dtype(), shape, scatter(values.ints(), positions, count));
}

}  // namespace deeper::frontend
