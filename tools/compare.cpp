#include "tools/compare.h"

#include <cmath>
#include <limits>

namespace deeper::tools {

double relative_l2(std::span<const double> got, std::span<const double> expected) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(expected[i])) continue;
    if (got[i] == expected[i]) {
      norm += std::isfinite(expected[i]) ? expected[i] * expected[i] : 0;
      continue;
    }
    const double d = got[i] - expected[i];
    if (!std::isfinite(d)) return std::numeric_limits<double>::infinity();
    difference += d * d;
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference) / (norm > 0 ? std::sqrt(norm) : 1.0);
}

}  // namespace deeper::tools
