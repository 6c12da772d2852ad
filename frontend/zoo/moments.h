#pragma once

#include <cstdint>
#include <span>
#include <vector>

// What a channel's numbers are expected to look like, carried through a network while its weights are drawn: it gives
// BatchNormalization the statistics that training would have left, and keeps activations in range without running the
// network. Normal distributions are assumed throughout. Only IEEE basic operations and square roots are used, so that
// results are the same bits on every machine.
namespace deeper::frontend::zoo {

struct Moments {
  double mean = 0;
  double variance = 0;
};
using ChannelMoments = std::vector<Moments>;

double second_moment(const Moments& x);
double mean_second_moment(std::span<const Moments> channels);

Moments after_relu(const Moments& x);
// Largest of a window of `cells` neighbours, which resemble each other.
Moments after_max_pool(const Moments& x, std::int64_t cells);
Moments after_average_pool(const Moments& x, std::int64_t cells);
// x + scale * branch, and that after a Relu, for an x that a Relu left.
Moments after_residual(const Moments& x, const Moments& branch, double scale, bool has_relu);

}  // namespace deeper::frontend::zoo
