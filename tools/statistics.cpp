#include "tools/statistics.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace deeper::tools {
namespace {

// How many samples at either end lie outside the interval: the most for which a fair coin shows that few heads or fewer
// in `count` throws with a probability of at most `tail`, less one.
std::size_t samples_outside(std::size_t count, double tail) {
  const auto n = static_cast<double>(count);
  double cumulative = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const auto heads = static_cast<double>(k);
    cumulative += std::exp(std::lgamma(n + 1) - std::lgamma(heads + 1) - std::lgamma(n - heads + 1) - n * std::log(2));
    if (cumulative > tail) return k == 0 ? 0 : k - 1;
  }
  return 0;
}

}  // namespace

double median(std::vector<double> samples) {
  DEEPER_CHECK(!samples.empty(), "a median of no samples");
  std::ranges::sort(samples);
  const std::size_t middle = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
}

Interval median_interval(std::vector<double> samples, double tail) {
  DEEPER_CHECK(!samples.empty(), "a median of no samples");
  std::ranges::sort(samples);
  const std::size_t outside = samples_outside(samples.size(), tail);
  return {samples[outside], median(samples), samples[samples.size() - 1 - outside]};
}

}  // namespace deeper::tools
