#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "frontend/zoo/network.h"

// Inception modules as tables: a module is a list of branches on one input, a branch a list of steps.
namespace deeper::frontend::zoo {

struct Step;
using Branch = std::vector<Step>;

struct ConvStep {
  std::int64_t channels = 0;
  Window window;
};
struct PoolStep {
  ir::Pool pool;
};
// Branches within a branch, joined again.
struct ForkStep {
  std::vector<Branch> branches;
};

struct Step {
  std::variant<ConvStep, PoolStep, ForkStep> layer;
  std::string name;  // within the module; empty: as TF-slim would, "Branch_1/Conv2d_0b_3x3"
};

inline Step conv(std::int64_t channels, std::int64_t kernel) { return {ConvStep{channels, same(kernel)}, {}}; }
inline Step conv(std::int64_t channels, std::int64_t height, std::int64_t width) {
  return {ConvStep{channels, same(height, width)}, {}};
}
inline Step conv(std::int64_t channels, const Window& window) { return {ConvStep{channels, window}, {}}; }
inline Step pool(const ir::Pool& pool) { return {PoolStep{pool}, {}}; }
inline Step fork(std::vector<Branch> branches) { return {ForkStep{std::move(branches)}, {}}; }
inline Step named(std::string name, Step step) {
  step.name = std::move(name);
  return step;
}

// One step after the other.
FeatureMap sequence(Network& net, const std::string& scope, const FeatureMap& x, const Branch& branch);

// The branches' results, concatenated. An empty branch passes x on.
FeatureMap inception(Network& net, const std::string& name, const FeatureMap& x, const std::vector<Branch>& branches);

// Inception-ResNet's unit (Szegedy et al. 2016, figures 10 to 19): relu(x + scale * linear 1x1 of the branches).
struct Residual {
  double scale = 1.0;
  bool has_relu = true;
};
FeatureMap inception_residual(Network& net, const std::string& name, const FeatureMap& x,
                              const std::vector<Branch>& branches, const Residual& residual);

// GlobalAveragePool, Dropout, fully connected, Softmax.
FeatureMap pooled_classifier(Network& net, const std::string& name, const FeatureMap& x);

}  // namespace deeper::frontend::zoo
