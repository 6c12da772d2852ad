// Inception-v2 as table 1 of "Rethinking the Inception Architecture for Computer Vision" (2015) lays it out. The table
// leaves the branches' widths open: here they are those of Inception-v3, which grew out of it.
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
  x = net.conv("Conv2d_3b_3x3", x, 80, valid(3, 1));
  x = net.conv("Conv2d_4a_3x3", x, 192, valid(3, 2));
  return net.conv("Conv2d_4b_3x3", x, 288, same(3));
}

// Figure 5: 5x5 as two 3x3.
FeatureMap module_a(Network& net, const std::string& name, const FeatureMap& x) {
  return inception(net, name, x,
                   {{conv(64, 1)},
                    {conv(48, 1), conv(64, 3)},
                    {conv(64, 1), conv(96, 3), conv(96, 3)},
                    {pool(average_pool(same(3), false)), conv(64, 1)}});
}

// Figure 6, n = 7.
FeatureMap module_b(Network& net, const std::string& name, const FeatureMap& x, std::int64_t inner) {
  return inception(net, name, x,
                   {{conv(192, 1)},
                    {conv(inner, 1), conv(inner, 1, 7), conv(192, 7, 1)},
                    {conv(inner, 1), conv(inner, 1, 7), conv(inner, 7, 1), conv(inner, 1, 7), conv(192, 7, 1)},
                    {pool(average_pool(same(3), false)), conv(192, 1)}});
}

// Figure 7.
FeatureMap module_c(Network& net, const std::string& name, const FeatureMap& x) {
  const Step spread = fork({{conv(384, 1, 3)}, {conv(384, 3, 1)}});
  return inception(net, name, x,
                   {{conv(320, 1)},
                    {conv(384, 1), spread},
                    {conv(448, 1), conv(384, 3), spread},
                    {pool(average_pool(same(3), false)), conv(192, 1)}});
}

}  // namespace

void build_inception_v2(Network& net, std::int64_t size) {
  const Branch pooling{pool(max_pool(valid(3, 2), false))};
  FeatureMap x = stem(net, size);
  x = module_a(net, "Mixed_5b", x);
  x = module_a(net, "Mixed_5c", x);
  x = module_a(net, "Mixed_5d", x);
  // Figure 10 between the stages.
  x = inception(net, "Mixed_6a", x,
                {{conv(64, 1), conv(384, valid(3, 2))}, {conv(64, 1), conv(96, 3), conv(96, valid(3, 2))}, pooling});
  x = module_b(net, "Mixed_6b", x, 128);
  x = module_b(net, "Mixed_6c", x, 160);
  x = module_b(net, "Mixed_6d", x, 160);
  x = module_b(net, "Mixed_6e", x, 160);
  x = module_b(net, "Mixed_6f", x, 192);
  x = inception(
      net, "Mixed_7a", x,
      {{conv(192, 1), conv(320, valid(3, 2))}, {conv(192, 1), conv(192, 3), conv(192, valid(3, 2))}, pooling});
  x = module_c(net, "Mixed_7b", x);
  x = module_c(net, "Mixed_7c", x);
  net.output("prob", pooled_classifier(net, "Logits", x));
}

}  // namespace deeper::frontend::zoo
