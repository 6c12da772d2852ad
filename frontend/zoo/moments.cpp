#include "frontend/zoo/moments.h"

#include <cmath>

namespace deeper::frontend::zoo {
namespace {

double variance(const Moments& x) { return x.second - x.mean * x.mean; }

Moments make_moments(double mean, double variance) { return {mean, mean * mean + variance}; }

}  // namespace

Moments after_relu(const Moments& x) { return {0.3989422804014327 * std::sqrt(x.second), 0.5 * x.second}; }

Moments after_max_pool(const Moments& x, std::int64_t cells) {
  if (cells == 1) return x;
  // Noise would gain 1.8 deviations under 3x3, smooth pictures 0.8, and what differs between channels none.
  return make_moments(x.mean + 0.8 * std::sqrt(variance(x)), 0.8 * variance(x));
}

Moments after_average_pool(const Moments& x, std::int64_t cells) {
  // About half of the variance is between channels and stays.
  return make_moments(x.mean, variance(x) * (0.5 + 0.5 / (1.0 + static_cast<double>(cells - 1) / 8.0)));
}

Moments after_residual(const Moments& x, const Moments& branch, double scale, bool has_relu) {
  // Where x is zero, in about half of all places, a Relu keeps the positive half of the branch.
  const double lift = has_relu ? 0.2 * scale * std::sqrt(branch.second) : 0.0;
  return make_moments(x.mean + lift, variance(x) + scale * scale * branch.second * (has_relu ? 0.75 : 1.0));
}

}  // namespace deeper::frontend::zoo
