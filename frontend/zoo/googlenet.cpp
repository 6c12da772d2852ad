// GoogLeNet, Caffe's names (Szegedy et al., "Going Deeper with Convolutions", 2014, table 1), with both auxiliary
// heads.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

// A row of the paper's table.
struct Widths {
  std::int64_t one, three_reduce, three, five_reduce, five, projection;
};

FeatureMap module(Network& net, const std::string& name, const FeatureMap& x, const Widths& widths) {
  return inception(net, name, x,
                   {{named("1x1", conv(widths.one, 1))},
                    {named("3x3_reduce", conv(widths.three_reduce, 1)), named("3x3", conv(widths.three, 3))},
                    {named("5x5_reduce", conv(widths.five_reduce, 1)), named("5x5", conv(widths.five, 5))},
                    {named("pool", pool(max_pool(same(3), false))), named("pool_proj", conv(widths.projection, 1))}});
}

FeatureMap stem(Network& net, std::int64_t size) {
  FeatureMap x = net.input(size);
  x = net.conv("conv1/7x7_s2", x, 64, padded(7, 2, 3));
  x = net.pool("pool1/3x3_s2", x, max_pool(valid(3, 2), true));
  x = net.local_response_norm("pool1/norm1", x, {});
  x = net.conv("conv2/3x3_reduce", x, 64, same(1));
  x = net.conv("conv2/3x3", x, 192, same(3));
  x = net.local_response_norm("conv2/norm2", x, {});
  return net.pool("pool2/3x3_s2", x, max_pool(valid(3, 2), true));
}

FeatureMap auxiliary_head(Network& net, const std::string& name, const FeatureMap& x) {
  FeatureMap head = net.pool(name + "/ave_pool", x, average_pool(valid(5, 3), false));
  head = net.flatten(name + "/flatten", net.conv(name + "/conv", head, 128, same(1)));
  head = net.relu(name + "/relu_fc", net.fully_connected(name + "/fc", head, 1024));
  return net.classifier(name + "/classifier", net.dropout(name + "/drop_fc", head), 1000);
}

}  // namespace

void build_googlenet(Network& net, std::int64_t size) {
  FeatureMap x = stem(net, size);
  x = module(net, "inception_3a", x, {64, 96, 128, 16, 32, 32});
  x = module(net, "inception_3b", x, {128, 128, 192, 32, 96, 64});
  x = net.pool("pool3/3x3_s2", x, max_pool(valid(3, 2), true));
  x = module(net, "inception_4a", x, {192, 96, 208, 16, 48, 64});
  const FeatureMap auxiliary1 = auxiliary_head(net, "loss1", x);
  x = module(net, "inception_4b", x, {160, 112, 224, 24, 64, 64});
  x = module(net, "inception_4c", x, {128, 128, 256, 24, 64, 64});
  x = module(net, "inception_4d", x, {112, 144, 288, 32, 64, 64});
  const FeatureMap auxiliary2 = auxiliary_head(net, "loss2", x);
  x = module(net, "inception_4e", x, {256, 160, 320, 32, 128, 128});
  x = net.pool("pool4/3x3_s2", x, max_pool(valid(3, 2), true));
  x = module(net, "inception_5a", x, {256, 160, 320, 32, 128, 128});
  x = module(net, "inception_5b", x, {384, 192, 384, 48, 128, 128});
  net.output("prob", pooled_classifier(net, "loss3", x));
  net.output("aux1_prob", auxiliary1);
  net.output("aux2_prob", auxiliary2);
}

}  // namespace deeper::frontend::zoo
