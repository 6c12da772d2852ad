// GoogLeNet in torchvision's form: BatchNormalization, no local response normalisation, 3x3 where the paper has 5x5,
// pools that round up; its auxiliary heads are for training only and not exported.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

struct Widths {
  std::int64_t one, three_reduce, three, five_reduce, five, projection;
};

FeatureMap module(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths) {
  return inception(
      net, name, x,
      {{named("branch1", conv(widths.one, 1))},
       {named("branch2/0", conv(widths.three_reduce, 1)), named("branch2/1", conv(widths.three, 3))},
       {named("branch3/0", conv(widths.five_reduce, 1)), named("branch3/1", conv(widths.five, 3))},
       {named("branch4/0", pool(max_pool(same(3), true))), named("branch4/1", conv(widths.projection, 1))}});
}

}  // namespace

void build_googlenet_bn(Network& net, std::int64_t size) {
  FeatureMap x = net.input(size);
  x = net.conv("conv1", x, 64, padded(7, 2, 3));
  x = net.pool("maxpool1", x, max_pool(valid(3, 2), true));
  x = net.conv("conv2", x, 64, same(1));
  x = net.conv("conv3", x, 192, same(3));
  x = net.pool("maxpool2", x, max_pool(valid(3, 2), true));
  x = module(net, "inception3a", x, {64, 96, 128, 16, 32, 32});
  x = module(net, "inception3b", x, {128, 128, 192, 32, 96, 64});
  x = net.pool("maxpool3", x, max_pool(valid(3, 2), true));
  x = module(net, "inception4a", x, {192, 96, 208, 16, 48, 64});
  x = module(net, "inception4b", x, {160, 112, 224, 24, 64, 64});
  x = module(net, "inception4c", x, {128, 128, 256, 24, 64, 64});
  x = module(net, "inception4d", x, {112, 144, 288, 32, 64, 64});
  x = module(net, "inception4e", x, {256, 160, 320, 32, 128, 128});
  x = net.pool("maxpool4", x, max_pool(valid(2, 2), true));
  x = module(net, "inception5a", x, {256, 160, 320, 32, 128, 128});
  x = module(net, "inception5b", x, {384, 192, 384, 48, 128, 128});
  net.output("prob", pooled_classifier(net, "head", x));
}

}  // namespace deeper::frontend::zoo
