#include "frontend/zoo/random.h"

namespace deeper::frontend::zoo {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;
// 1 / sqrt(4 (2^32 - 1) / 12): the sum's standard deviation, inverted.
constexpr double kNormalScale = 2.6428997921303014e-05;

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) : state_(mix(mix(seed + kGolden) + stream * kGolden)) {}

std::uint64_t Random::next() {
  state_ += kGolden;
  return mix(state_);
}

double Random::uniform(double low, double high) {
  return low + (high - low) * (static_cast<double>(next() >> 11U) * 0x1p-53);
}

double Random::normal() {
  const std::uint64_t bits = next();
  const std::uint64_t sum = (bits & 0xffffU) + (bits >> 16U & 0xffffU) + (bits >> 32U & 0xffffU) + (bits >> 48U);
  return (static_cast<double>(sum) - 131070.0) * kNormalScale;
}

}  // namespace deeper::frontend::zoo
