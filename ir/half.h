#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

// The 16-bit floating formats of model files, as their bits.
namespace deeper::ir {

// IEEE 754 binary16 to f32; exact.
inline float half_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  float magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  } else if (exponent == 31) {
    magnitude = mantissa == 0 ? INFINITY : NAN;
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa | 0x400), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

// The nearest binary16, ties to even, as an f32; infinite beyond its range.
inline float round_to_half(float value) {
  if (!std::isfinite(value) || value == 0) return value;
  const int exponent = std::max(std::ilogb(value), -14);
  const float unit = std::ldexp(1.0F, exponent - 10);
  const float rounded = std::nearbyint(value / unit) * unit;
  return std::fabs(rounded) > 65504.0F ? std::copysign(INFINITY, value) : rounded;
}

// bfloat16 to f32; exact.
inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

}  // namespace deeper::ir
