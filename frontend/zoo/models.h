#pragma once

#include <cstdint>
#include <string_view>

#include "frontend/zoo/zoo.h"

// One function per network, which writes it for a square input of that size, and what to list about it.
namespace deeper::frontend::zoo {

class Network;

struct Model {
  ZooEntry entry;
  double batch_norm_epsilon = 0;  // 0: biases instead
  void (*build)(Network& net, std::int64_t size) = nullptr;
};

void build_alexnet(Network& net, std::int64_t size);
void build_googlenet(Network& net, std::int64_t size);
void build_inception_v1_naive(Network& net, std::int64_t size);
void build_googlenet_bn(Network& net, std::int64_t size);
void build_bn_inception(Network& net, std::int64_t size);
void build_inception_v2(Network& net, std::int64_t size);
void build_inception_v2_slim(Network& net, std::int64_t size);
void build_inception_v3(Network& net, std::int64_t size);
void build_inception_v4(Network& net, std::int64_t size);
void build_inception_resnet_v1(Network& net, std::int64_t size);
void build_inception_resnet_v2(Network& net, std::int64_t size);

}  // namespace deeper::frontend::zoo
