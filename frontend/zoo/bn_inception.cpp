// BN-Inception, Caffe's names (Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
// Internal Covariate Shift", 2015, appendix). Average pools count their padding, as Caffe's do.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

struct Widths {
  std::int64_t one, three_reduce, three, double_reduce, double_three;
};

FeatureMap module(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths,
                  const ir::Pool& pooling, std::int64_t projection) {
  return inception(
      net, name, x,
      {{named("1x1", conv(widths.one, 1))},
       {named("3x3_reduce", conv(widths.three_reduce, 1)), named("3x3", conv(widths.three, 3))},
       {named("double_3x3_reduce", conv(widths.double_reduce, 1)), named("double_3x3_1", conv(widths.double_three, 3)),
        named("double_3x3_2", conv(widths.double_three, 3))},
       {named("pool", pool(pooling)), named("pool_proj", conv(projection, 1))}});
}

// Halves the extents.
FeatureMap reduction(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths) {
  return inception(
      net, name, x,
      {{named("3x3_reduce", conv(widths.three_reduce, 1)), named("3x3", conv(widths.three, padded(3, 2, 1)))},
       {named("double_3x3_reduce", conv(widths.double_reduce, 1)), named("double_3x3_1", conv(widths.double_three, 3)),
        named("double_3x3_2", conv(widths.double_three, padded(3, 2, 1)))},
       {named("pool", pool(max_pool(valid(3, 2), true)))}});
}

}  // namespace

void build_bn_inception(Network& net, std::int64_t size) {
  const ir::Pool average = average_pool(same(3), true);
  const ir::Pool max = max_pool(same(3), false);
  FeatureMap x = net.input(size);
  x = net.conv("conv1/7x7_s2", x, 64, padded(7, 2, 3));
  x = net.pool("pool1/3x3_s2", x, max_pool(valid(3, 2), true));
  x = net.conv("conv2/3x3_reduce", x, 64, same(1));
  x = net.conv("conv2/3x3", x, 192, same(3));
  x = net.pool("pool2/3x3_s2", x, max_pool(valid(3, 2), true));
  x = module(net, "inception_3a", x, {64, 64, 64, 64, 96}, average, 32);
  x = module(net, "inception_3b", x, {64, 64, 96, 64, 96}, average, 64);
  x = reduction(net, "inception_3c", x, {0, 128, 160, 64, 96});
  x = module(net, "inception_4a", x, {224, 64, 96, 96, 128}, average, 128);
  x = module(net, "inception_4b", x, {192, 96, 128, 96, 128}, average, 128);
  x = module(net, "inception_4c", x, {160, 128, 160, 128, 160}, average, 128);
  x = module(net, "inception_4d", x, {96, 128, 192, 160, 192}, average, 128);
  x = reduction(net, "inception_4e", x, {0, 128, 192, 192, 256});
  x = module(net, "inception_5a", x, {352, 192, 320, 160, 224}, average, 128);
  x = module(net, "inception_5b", x, {352, 192, 320, 192, 224}, max, 128);
  net.output("prob", pooled_classifier(net, "loss3", x));
}

}  // namespace deeper::frontend::zoo
