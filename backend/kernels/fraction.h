#pragma once

#include <cstdint>

// Exact rational arithmetic, usable in constant expressions.
namespace deeper::backend {

__extension__ using Int128 = __int128;

// numerator / denominator in lowest terms, denominator positive. Overflow is a compile-time error where the expression
// is constant and a wrong result elsewhere: the transforms of cooktoom.h stay far below 2^127.
class Fraction {
 public:
  constexpr Fraction() = default;
  constexpr Fraction(std::int64_t numerator) : numerator_(numerator) {}
  constexpr Fraction(std::int64_t numerator, std::int64_t denominator) : Fraction(reduced(numerator, denominator)) {}

  constexpr bool is_zero() const { return numerator_ == 0; }
  constexpr double value() const { return static_cast<double>(numerator_) / static_cast<double>(denominator_); }

  friend constexpr Fraction operator+(Fraction a, Fraction b) {
    const Int128 common = divisor(a.denominator_, b.denominator_);
    const Int128 scale = b.denominator_ / common;
    return reduced(a.numerator_ * scale + b.numerator_ * (a.denominator_ / common), a.denominator_ * scale);
  }
  friend constexpr Fraction operator-(Fraction a) {
    a.numerator_ = -a.numerator_;
    return a;
  }
  friend constexpr Fraction operator-(Fraction a, Fraction b) { return a + -b; }
  friend constexpr Fraction operator*(Fraction a, Fraction b) {
    const Int128 left = divisor(a.numerator_, b.denominator_);
    const Int128 right = divisor(b.numerator_, a.denominator_);
    return reduced((a.numerator_ / left) * (b.numerator_ / right), (a.denominator_ / right) * (b.denominator_ / left));
  }
  // b must not be zero.
  friend constexpr Fraction operator/(Fraction a, Fraction b) { return a * reduced(b.denominator_, b.numerator_); }
  friend constexpr bool operator==(const Fraction&, const Fraction&) = default;

 private:
  static constexpr Int128 divisor(Int128 a, Int128 b) {
    if (a < 0) a = -a;
    if (b < 0) b = -b;
    while (b != 0) {
      const Int128 rest = a % b;
      a = b;
      b = rest;
    }
    return a == 0 ? Int128{1} : a;
  }
  static constexpr Fraction reduced(Int128 numerator, Int128 denominator) {
    const Int128 common = denominator < 0 ? -divisor(numerator, denominator) : divisor(numerator, denominator);
    Fraction result;
    result.numerator_ = numerator / common;
    result.denominator_ = denominator / common;
    return result;
  }

  Int128 numerator_ = 0;
  Int128 denominator_ = 1;
};

}  // namespace deeper::backend
