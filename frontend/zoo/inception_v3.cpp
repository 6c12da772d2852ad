// Inception-v3, TF-slim's names (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015).
// Average pools leave padding out.
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
  return net.pool("MaxPool_5a_3x3", x, max_pool(valid(3, 2), false));
}

// 35x35
FeatureMap module_a(Network& net, const std::string& name, const FeatureMap& x, std::int64_t projection) {
  return inception(net, name, x,
                   {{conv(64, 1)},
                    {conv(48, 1), conv(64, 5)},
                    {conv(64, 1), conv(96, 3), conv(96, 3)},
                    {pool(average_pool(same(3), false)), conv(projection, 1)}});
}

// 17x17, 7x7 as 1x7 and 7x1
FeatureMap module_b(Network& net, const std::string& name, const FeatureMap& x, std::int64_t inner) {
  return inception(net, name, x,
                   {{conv(192, 1)},
                    {conv(inner, 1), conv(inner, 1, 7), conv(192, 7, 1)},
                    {conv(inner, 1), conv(inner, 7, 1), conv(inner, 1, 7), conv(inner, 7, 1), conv(192, 1, 7)},
                    {pool(average_pool(same(3), false)), conv(192, 1)}});
}

// 8x8, 3x3 as 1x3 beside 3x1
FeatureMap module_c(Network& net, const std::string& name, const FeatureMap& x) {
  const Step spread = fork({{conv(384, 1, 3)}, {conv(384, 3, 1)}});
  return inception(net, name, x,
                   {{conv(320, 1)},
                    {conv(384, 1), spread},
                    {conv(448, 1), conv(384, 3), spread},
                    {pool(average_pool(same(3), false)), conv(192, 1)}});
}

FeatureMap auxiliary_head(Network& net, const FeatureMap& x) {
  FeatureMap head = net.pool("AuxLogits/AvgPool_1a_5x5", x, average_pool(valid(5, 3), false));
  head = net.conv("AuxLogits/Conv2d_1b_1x1", head, 128, same(1));
  head = net.conv("AuxLogits/Conv2d_2a_5x5", head, 768, {{head.height, head.width}, {1, 1}, {0, 0, 0, 0}});
  return net.classifier("AuxLogits/Logits", net.flatten("AuxLogits/Flatten", head), 1000);
}

}  // namespace

void build_inception_v3(Network& net, std::int64_t size) {
  FeatureMap x = stem(net, size);
  x = module_a(net, "Mixed_5b", x, 32);
  x = module_a(net, "Mixed_5c", x, 64);
  x = module_a(net, "Mixed_5d", x, 64);
  x = inception(net, "Mixed_6a", x,
                {{conv(384, valid(3, 2))},
                 {conv(64, 1), conv(96, 3), conv(96, valid(3, 2))},
                 {pool(max_pool(valid(3, 2), false))}});
  x = module_b(net, "Mixed_6b", x, 128);
  x = module_b(net, "Mixed_6c", x, 160);
  x = module_b(net, "Mixed_6d", x, 160);
  x = module_b(net, "Mixed_6e", x, 192);
  const FeatureMap auxiliary = auxiliary_head(net, x);
  x = inception(net, "Mixed_7a", x,
                {{conv(192, 1), conv(320, valid(3, 2))},
                 {conv(192, 1), conv(192, 1, 7), conv(192, 7, 1), conv(192, valid(3, 2))},
                 {pool(max_pool(valid(3, 2), false))}});
  x = module_c(net, "Mixed_7b", x);
  x = module_c(net, "Mixed_7c", x);
  net.output("prob", pooled_classifier(net, "Logits", x));
  net.output("aux_prob", auxiliary);
}

}  // namespace deeper::frontend::zoo
