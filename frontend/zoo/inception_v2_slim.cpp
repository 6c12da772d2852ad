// Inception-v2 as TF-slim has it: BN-Inception with a separable 7x7 stem, strides inside the module that follows, and
// TensorFlow's SAME padding, which is asymmetric where it strides.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

Window same_stride2(std::int64_t kernel, const FeatureMap& x) { return same_upper(kernel, 2, x.height, x.width); }

FeatureMap halve(Network& net, const std::string& name, const FeatureMap& x) {
  return net.pool(name, x, max_pool(same_stride2(3, x), false));
}

FeatureMap stem(Network& net, std::int64_t size) {
  const FeatureMap image = net.input(size);
  FeatureMap x =
      net.linear_conv("Conv2d_1a_7x7/depthwise", image, 3 * 8, same_stride2(7, image), image.channels, false);
  x = net.conv("Conv2d_1a_7x7/pointwise", x, 64, same(1));
  x = halve(net, "MaxPool_2a_3x3", x);
  x = net.conv("Conv2d_2b_1x1", x, 64, same(1));
  x = net.conv("Conv2d_2c_3x3", x, 192, same(3));
  return halve(net, "MaxPool_3a_3x3", x);
}

struct Widths {
  std::int64_t one, three_reduce, three, double_reduce, double_three;
};

FeatureMap module(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths,
                  const ir::Pool& pooling, std::int64_t projection) {
  return inception(net, name, x,
                   {{conv(widths.one, 1)},
                    {conv(widths.three_reduce, 1), conv(widths.three, 3)},
                    {conv(widths.double_reduce, 1), conv(widths.double_three, 3), conv(widths.double_three, 3)},
                    {pool(pooling), conv(projection, 1)}});
}

FeatureMap reduction(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths) {
  const Window stride2 = same_stride2(3, x);
  return inception(net, name, x,
                   {{conv(widths.three_reduce, 1), conv(widths.three, stride2)},
                    {conv(widths.double_reduce, 1), conv(widths.double_three, 3), conv(widths.double_three, stride2)},
                    {pool(max_pool(stride2, false))}});
}

}  // namespace

void build_inception_v2_slim(Network& net, std::int64_t size) {
  const ir::Pool average = average_pool(same(3), false);
  const ir::Pool max = max_pool(same(3), false);
  FeatureMap x = stem(net, size);
  x = module(net, "Mixed_3b", x, {64, 64, 64, 64, 96}, average, 32);
  x = module(net, "Mixed_3c", x, {64, 64, 96, 64, 96}, average, 64);
  x = reduction(net, "Mixed_4a", x, {0, 128, 160, 64, 96});
  x = module(net, "Mixed_4b", x, {224, 64, 96, 96, 128}, average, 128);
  x = module(net, "Mixed_4c", x, {192, 96, 128, 96, 128}, average, 128);
  x = module(net, "Mixed_4d", x, {160, 128, 160, 128, 160}, average, 96);
  x = module(net, "Mixed_4e", x, {96, 128, 192, 160, 192}, average, 96);
  x = reduction(net, "Mixed_5a", x, {0, 128, 192, 192, 256});
  x = module(net, "Mixed_5b", x, {352, 192, 320, 160, 224}, average, 128);
  x = module(net, "Mixed_5c", x, {352, 192, 320, 192, 224}, max, 128);
  net.output("prob", pooled_classifier(net, "Logits", x));
}

}  // namespace deeper::frontend::zoo
