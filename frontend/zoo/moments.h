#pragma once

#include <cstdint>

// What the numbers of a feature map are expected to look like, over all its channels, carried through a network while
// its weights are drawn: it keeps activations in range without running the network, and gives BatchNormalization the
// statistics that go with it. Basic operations and square roots only, so that results are the same bits on every
// machine.
namespace deeper::frontend::zoo {

struct Moments {
  double mean = 0;
  double second = 0;  // mean of the squares
};

// Of a Relu after numbers with mean 0, normally distributed.
Moments after_relu(const Moments& x);
Moments after_max_pool(const Moments& x, std::int64_t cells);
Moments after_average_pool(const Moments& x, std::int64_t cells);
// x + scale * branch, for a branch with mean 0, and with `has_relu` a Relu.
Moments after_residual(const Moments& x, const Moments& branch, double scale, bool has_relu);

}  // namespace deeper::frontend::zoo
