// The naive module of "Going Deeper with Convolutions" (2014), figure 2a: no 1x1 reductions, and a pool that passes all
// its channels on, so that every module is wider than the last. GoogLeNet's stem and its widths, in five modules: "the
// computational blow up within a few stages" that the paper's 1x1 convolutions avoid.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

struct Widths {
  std::int64_t one, three, five;
};

FeatureMap module(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths) {
  return inception(net, name, x,
                   {{named("1x1", conv(widths.one, 1))},
                    {named("3x3", conv(widths.three, 3))},
                    {named("5x5", conv(widths.five, 5))},
                    {named("pool", pool(max_pool(same(3), false)))}});
}

}  // namespace

void build_inception_v1_naive(Network& net, std::int64_t size) {
  FeatureMap x = net.input(size);
  x = net.conv("conv1/7x7_s2", x, 64, padded(7, 2, 3));
  x = net.pool("pool1/3x3_s2", x, max_pool(valid(3, 2), true));
  x = net.conv("conv2/3x3", net.local_response_norm("pool1/norm1", x, {}), 192, same(3));
  x = net.pool("pool2/3x3_s2", net.local_response_norm("conv2/norm2", x, {}), max_pool(valid(3, 2), true));
  x = module(net, "inception_3a", x, {64, 128, 32});
  x = module(net, "inception_3b", x, {128, 192, 96});
  x = net.pool("pool3/3x3_s2", x, max_pool(valid(3, 2), true));
  x = module(net, "inception_4a", x, {192, 208, 48});
  x = module(net, "inception_4b", x, {160, 224, 64});
  x = net.pool("pool4/3x3_s2", x, max_pool(valid(3, 2), true));
  x = module(net, "inception_5a", x, {256, 320, 128});
  net.output("prob", pooled_classifier(net, "loss3", x));
}

}  // namespace deeper::frontend::zoo
