// Inception-v4, TF-slim's names (Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections
// on Learning", 2016, figures 3 to 9). Average pools leave padding out.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {
namespace {

Step halving_pool() { return pool(max_pool(valid(3, 2), false)); }

FeatureMap stem(Network& net, std::int64_t size) {
  FeatureMap x = net.input(size);
  x = net.conv("Conv2d_1a_3x3", x, 32, valid(3, 2));
  x = net.conv("Conv2d_2a_3x3", x, 32, valid(3, 1));
  x = net.conv("Conv2d_2b_3x3", x, 64, same(3));
  x = inception(net, "Mixed_3a", x, {{halving_pool()}, {conv(96, valid(3, 2))}});
  x = inception(
      net, "Mixed_4a", x,
      {{conv(64, 1), conv(96, valid(3, 1))}, {conv(64, 1), conv(64, 1, 7), conv(64, 7, 1), conv(96, valid(3, 1))}});
  return inception(net, "Mixed_5a", x, {{conv(192, valid(3, 2))}, {halving_pool()}});
}

FeatureMap module_a(Network& net, const std::string& name, const FeatureMap& x) {
  return inception(net, name, x,
                   {{conv(96, 1)},
                    {conv(64, 1), conv(96, 3)},
                    {conv(64, 1), conv(96, 3), conv(96, 3)},
                    {pool(average_pool(same(3), false)), conv(96, 1)}});
}

FeatureMap module_b(Network& net, const std::string& name, const FeatureMap& x) {
  return inception(net, name, x,
                   {{conv(384, 1)},
                    {conv(192, 1), conv(224, 1, 7), conv(256, 7, 1)},
                    {conv(192, 1), conv(192, 7, 1), conv(224, 1, 7), conv(224, 7, 1), conv(256, 1, 7)},
                    {pool(average_pool(same(3), false)), conv(128, 1)}});
}

FeatureMap module_c(Network& net, const std::string& name, const FeatureMap& x) {
  const Step spread = fork({{conv(256, 1, 3)}, {conv(256, 3, 1)}});
  return inception(net, name, x,
                   {{conv(256, 1)},
                    {conv(384, 1), spread},
                    {conv(384, 1), conv(448, 3, 1), conv(512, 1, 3), spread},
                    {pool(average_pool(same(3), false)), conv(256, 1)}});
}

}  // namespace

void build_inception_v4(Network& net, std::int64_t size) {
  FeatureMap x = stem(net, size);
  for (const char* name : {"Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_5e"}) x = module_a(net, name, x);
  x = inception(net, "Mixed_6a", x,
                {{conv(384, valid(3, 2))}, {conv(192, 1), conv(224, 3), conv(256, valid(3, 2))}, {halving_pool()}});
  for (const char* name : {"Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_6f", "Mixed_6g", "Mixed_6h"}) {
    x = module_b(net, name, x);
  }
  x = inception(net, "Mixed_7a", x,
                {{conv(192, 1), conv(192, valid(3, 2))},
                 {conv(256, 1), conv(256, 1, 7), conv(320, 7, 1), conv(320, valid(3, 2))},
                 {halving_pool()}});
  for (const char* name : {"Mixed_7b", "Mixed_7c", "Mixed_7d"}) x = module_c(net, name, x);
  net.output("prob", pooled_classifier(net, "Logits", x));
}

}  // namespace deeper::frontend::zoo
