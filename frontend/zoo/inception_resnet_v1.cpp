// Inception-ResNet-v1 as facenet has it ("Inception-v4, Inception-ResNet and the Impact of Residual Connections on
// Learning", 2016, figures 10 to 14): 160x160 faces in, embeddings of unit length out.
#include <fmt/format.h>

#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

FeatureMap stem(Network& net, std::int64_t size) {
  FeatureMap x = net.input(size);
  x = net.conv("Conv2d_1a_3x3", x, 32, valid(3, 2));
  x = net.conv("Conv2d_2a_3x3", x, 32, valid(3, 1));
  x = net.conv("Conv2d_2b_3x3", x, 64, same(3));
  x = net.pool("MaxPool_3a_3x3", x, max_pool(valid(3, 2), false));
  x = net.conv("Conv2d_3b_1x1", x, 80, same(1));
  x = net.conv("Conv2d_4a_3x3", x, 192, valid(3, 1));
  return net.conv("Conv2d_4b_3x3", x, 256, valid(3, 2));
}

FeatureMap block35(Network& net, const std::string& name, const FeatureMap& x) {
  return inception_residual(
      net, name, x, {{conv(32, 1)}, {conv(32, 1), conv(32, 3)}, {conv(32, 1), conv(32, 3), conv(32, 3)}}, {0.17, true});
}

FeatureMap block17(Network& net, const std::string& name, const FeatureMap& x) {
  return inception_residual(net, name, x, {{conv(128, 1)}, {conv(128, 1), conv(128, 1, 7), conv(128, 7, 1)}},
                            {0.10, true});
}

FeatureMap block8(Network& net, const std::string& name, const FeatureMap& x, const Residual& residual) {
  return inception_residual(net, name, x, {{conv(192, 1)}, {conv(192, 1), conv(192, 1, 3), conv(192, 3, 1)}}, residual);
}

}  // namespace

void build_inception_resnet_v1(Network& net, std::int64_t size) {
  const Branch pooling{pool(max_pool(valid(3, 2), false))};
  FeatureMap x = stem(net, size);
  for (int i = 1; i <= 5; ++i) x = block35(net, fmt::format("Repeat/block35_{}", i), x);
  x = inception(net, "Mixed_6a", x,
                {{conv(384, valid(3, 2))}, {conv(192, 1), conv(192, 3), conv(256, valid(3, 2))}, pooling});
  for (int i = 1; i <= 10; ++i) x = block17(net, fmt::format("Repeat_1/block17_{}", i), x);
  x = inception(net, "Mixed_7a", x,
                {{conv(256, 1), conv(384, valid(3, 2))},
                 {conv(256, 1), conv(256, valid(3, 2))},
                 {conv(256, 1), conv(256, 3), conv(256, valid(3, 2))},
                 pooling});
  for (int i = 1; i <= 5; ++i) x = block8(net, fmt::format("Repeat_2/block8_{}", i), x, {0.20, true});
  x = block8(net, "Block8", x, {1.0, false});
  x = net.flatten("Logits/Flatten", net.global_average_pool("Logits/AvgPool", x));
  x = net.normalized_fully_connected("Bottleneck", net.dropout("Logits/Dropout", x), 512);
  net.output("embeddings", net.l2_normalize("embeddings_l2", x));
}

}  // namespace deeper::frontend::zoo
