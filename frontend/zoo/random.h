#pragma once

#include <cstdint>

namespace deeper::frontend::zoo {

// A stream of random numbers given by (seed, stream), the same bits on every machine: SplitMix64 (Steele, Lea, Flood
// 2014) as a counter, integer arithmetic and one product; no function of the mathematics library.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream);

  double uniform(double low, double high);

  // Mean 0, variance 1, within +-3.5: the sum of four uniform numbers of 16 bits, near enough to normal for weights.
  double normal();

 private:
  std::uint64_t next();

  std::uint64_t state_;
};

}  // namespace deeper::frontend::zoo
