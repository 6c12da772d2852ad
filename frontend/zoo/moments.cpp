#include "frontend/zoo/moments.h"

#include <algorithm>
#include <cmath>

namespace deeper::frontend::zoo {
namespace {

// e^x for x <= 0, to about 1e-3: (1 + x / 1024)^1024.
double exponential(double x) {
  double power = std::max(0.0, 1.0 + x / 1024.0);
  for (int i = 0; i < 10; ++i) power *= power;
  return power;
}

double normal_density(double x) { return 0.3989422804014327 * exponential(-0.5 * x * x); }

// Page's approximation (1977) of the normal distribution function.
double normal_distribution(double x) {
  const double magnitude = std::abs(x);
  const double tail = exponential(-magnitude * (1.5976 + 0.070566 * magnitude * magnitude));
  const double above = 1.0 / (1.0 + tail);
  return x < 0 ? 1.0 - above : above;
}

}  // namespace

double second_moment(const Moments& x) { return x.mean * x.mean + x.variance; }

double mean_second_moment(std::span<const Moments> channels) {
  double sum = 0;
  for (const Moments& channel : channels) sum += second_moment(channel);
  return sum / static_cast<double>(std::max<std::size_t>(1, channels.size()));
}

Moments after_relu(const Moments& x) {
  const double deviation = std::sqrt(std::max(x.variance, 1e-12));
  const double ratio = x.mean / deviation;
  const double above = normal_distribution(ratio);
  const double density = normal_density(ratio);
  const double mean = x.mean * above + deviation * density;
  const double second = second_moment(x) * above + x.mean * deviation * density;
  return {mean, std::max(0.0, second - mean * mean)};
}

Moments after_max_pool(const Moments& x, std::int64_t cells) {
  return cells == 1 ? x : Moments{x.mean + 1.2 * std::sqrt(x.variance), 0.7 * x.variance};
}

Moments after_average_pool(const Moments& x, std::int64_t cells) {
  return {x.mean, x.variance / (1.0 + static_cast<double>(cells - 1) / 8.0)};
}

Moments after_residual(const Moments& x, const Moments& branch, double scale, bool has_relu) {
  const double mean = x.mean + scale * branch.mean;
  const double variance = x.variance + scale * scale * branch.variance;
  if (!has_relu) return {mean, variance};
  // Half of x is zero; there the Relu keeps the positive half of the branch.
  return {std::max(0.0, mean) + 0.2 * scale * std::sqrt(branch.variance), variance};
}

}  // namespace deeper::frontend::zoo
