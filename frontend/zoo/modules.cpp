#include "frontend/zoo/modules.h"

#include <fmt/format.h>

namespace deeper::frontend::zoo {
namespace {

template <typename... Functions>
struct Overloads : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloads(Functions...) -> Overloads<Functions...>;

// TF-slim's names: what it is, 1 where it strides, a letter for the position in its branch, the window.
std::string slim_name(const char* kind, const ir::Extent2& kernel, const ir::Extent2& strides, std::size_t position) {
  const bool has_stride = strides[0] > 1;
  return fmt::format("{}_{}{}_{}x{}", kind, has_stride ? 1 : 0, has_stride ? 'a' : static_cast<char>('a' + position),
                     kernel[0], kernel[1]);
}

std::string name_of(const Step& step, std::size_t position) {
  if (!step.name.empty()) return step.name;
  return std::visit(Overloads{
                        [&](const ConvStep& layer) {
                          return slim_name("Conv2d", layer.window.kernel, layer.window.strides, position);
                        },
                        [&](const PoolStep& layer) {
                          const bool is_max = layer.pool.kind == ir::PoolKind::max;
                          return slim_name(is_max ? "MaxPool" : "AvgPool", layer.pool.kernel, layer.pool.strides,
                                           position);
                        },
                        [&](const ForkStep&) { return std::string("concat"); },
                    },
                    step.layer);
}

FeatureMap sequence_from(Network& net, const std::string& scope, FeatureMap x, const Branch& branch,
                         std::size_t position) {
  for (const Step& step : branch) {
    const std::string name = scope + "/" + name_of(step, position);
    x = std::visit(Overloads{
                       [&](const ConvStep& layer) { return net.conv(name, x, layer.channels, layer.window); },
                       [&](const PoolStep& layer) { return net.pool(name, x, layer.pool); },
                       [&](const ForkStep& layer) {
                         std::vector<FeatureMap> results;
                         for (const Branch& inner : layer.branches) {
                           results.push_back(sequence_from(net, scope, x, inner, position));
                         }
                         return net.concat(name, results);
                       },
                   },
                   step.layer);
    ++position;
  }
  return x;
}

// Branches with steps that carry names need no scope of their own.
std::string scope_of(const std::string& name, const Branch& branch, std::size_t number) {
  return branch.empty() || !branch[0].name.empty() ? name : fmt::format("{}/Branch_{}", name, number);
}

}  // namespace

FeatureMap sequence(Network& net, const std::string& scope, const FeatureMap& x, const Branch& branch) {
  return sequence_from(net, scope, x, branch, 0);
}

FeatureMap inception(Network& net, const std::string& name, const FeatureMap& x, const std::vector<Branch>& branches) {
  std::vector<FeatureMap> results;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    results.push_back(sequence(net, scope_of(name, branches[i], i), x, branches[i]));
  }
  return net.concat(name + "/concat", results);
}

FeatureMap inception_residual(Network& net, const std::string& name, const FeatureMap& x,
                              const std::vector<Branch>& branches, const Residual& residual) {
  const FeatureMap joined = inception(net, name, x, branches);
  const FeatureMap up = net.linear_conv(name + "/Conv2d_1x1", joined, x.channels, same(1), 1, true);
  return net.scaled_residual(name, x, up, residual.scale, residual.has_relu);
}

FeatureMap pooled_classifier(Network& net, const std::string& name, const FeatureMap& x) {
  const FeatureMap pooled = net.global_average_pool(name + "/AvgPool", x);
  const FeatureMap features = net.dropout(name + "/Dropout", net.flatten(name + "/Flatten", pooled));
  return net.classifier(name + "/Logits", features, 1000);
}

}  // namespace deeper::frontend::zoo
