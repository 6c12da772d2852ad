#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ir/type.h"

namespace deeper::ir {

// An immutable dense array in row-major order. Copies share the storage. f32 tensors hold floats; tensors of every
// integer type (and bool, as 0 and 1) hold int64.
class Tensor {
 public:
  Tensor() = default;

  // Throw InternalError where the number of elements is not that of the shape.
  static Tensor f32(Shape shape, std::vector<float> data);
  static Tensor integer(DataType dtype, Shape shape, std::vector<std::int64_t> data);
  static Tensor scalar(float value);

  // Standard normal numbers times 0.1 that depend on seed and shape only; remembered so that text stays small.
  static Tensor seeded(Shape shape, std::uint64_t seed);

  const Type& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DataType dtype() const { return type_.dtype; }
  std::int64_t size() const { return element_count(type_.shape); }
  bool is_f32() const { return type_.dtype == DataType::f32; }
  std::optional<std::uint64_t> seed() const { return seed_; }

  // The elements; throw InternalError where the type is of the other family.
  std::span<const float> floats() const;
  std::span<const std::int64_t> ints() const;

  // Element i as a double whatever the type.
  double at(std::int64_t i) const;

  // The same elements in another shape of equal size (storage shared).
  Tensor reshaped(Shape shape) const;

  // Same type and same bits.
  bool operator==(const Tensor& other) const;

 private:
  Type type_;
  std::shared_ptr<const std::vector<float>> floats_;
  std::shared_ptr<const std::vector<std::int64_t>> ints_;
  std::optional<std::uint64_t> seed_;
};

}  // namespace deeper::ir
