#include "ir/tensor.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "ir/error.h"

namespace deeper::ir {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): the k-th output is a pure function of seed + k.
std::uint64_t split_mix(std::uint64_t state) {
  state += 0x9e3779b97f4a7c15U;
  state = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
  state = (state ^ (state >> 27U)) * 0x94d049bb133111ebU;
  return state ^ (state >> 31U);
}

double unit(std::uint64_t bits) { return (static_cast<double>(bits >> 11U) + 0.5) * 0x1p-53; }

}  // namespace

Tensor Tensor::f32(Shape shape, std::vector<float> data) {
  DEEPER_CHECK(element_count(shape) == static_cast<std::int64_t>(data.size()), "making an f32 tensor");
  Tensor tensor;
  tensor.type_ = {DataType::f32, std::move(shape)};
  tensor.floats_ = std::make_shared<const std::vector<float>>(std::move(data));
  return tensor;
}

Tensor Tensor::integer(DataType dtype, Shape shape, std::vector<std::int64_t> data) {
  DEEPER_CHECK(dtype != DataType::f32, "making an integer tensor");
  DEEPER_CHECK(element_count(shape) == static_cast<std::int64_t>(data.size()), "making an integer tensor");
  Tensor tensor;
  tensor.type_ = {dtype, std::move(shape)};
  tensor.ints_ = std::make_shared<const std::vector<std::int64_t>>(std::move(data));
  return tensor;
}

Tensor Tensor::scalar(float value) { return f32({}, {value}); }

Tensor Tensor::seeded(Shape shape, std::uint64_t seed) {
  std::vector<float> data(static_cast<std::size_t>(element_count(shape)));
  const std::uint64_t base = split_mix(seed);
  for (std::size_t i = 0; i < data.size(); ++i) {  // Box-Muller
    const double radius = std::sqrt(-2.0 * std::log(unit(split_mix(base + 2 * i))));
    data[i] = static_cast<float>(0.1 * radius * std::cos(2.0 * std::numbers::pi * unit(split_mix(base + 2 * i + 1))));
  }
  Tensor tensor = f32(std::move(shape), std::move(data));
  tensor.seed_ = seed;
  return tensor;
}

std::span<const float> Tensor::floats() const {
  DEEPER_CHECK(floats_ != nullptr, "reading a tensor as f32");
  return *floats_;
}

std::span<const std::int64_t> Tensor::ints() const {
  DEEPER_CHECK(ints_ != nullptr, "reading a tensor as integers");
  return *ints_;
}

double Tensor::at(std::int64_t i) const {
  const auto k = static_cast<std::size_t>(i);
  return floats_ != nullptr ? static_cast<double>(floats_->at(k)) : static_cast<double>(ints_->at(k));
}

Tensor Tensor::reshaped(Shape shape) const {
  DEEPER_CHECK(element_count(shape) == size(), "reshaping a tensor");
  Tensor result = *this;
  if (shape != type_.shape) result.seed_.reset();
  result.type_.shape = std::move(shape);
  return result;
}

bool Tensor::operator==(const Tensor& other) const {
  if (type_ != other.type_) return false;
  if (!is_f32()) return ints_ == other.ints_ || *ints_ == *other.ints_;
  return floats_ == other.floats_ || floats_->empty() ||
         std::memcmp(floats_->data(), other.floats_->data(), floats_->size() * sizeof(float)) == 0;
}

}  // namespace deeper::ir
