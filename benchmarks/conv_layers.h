#pragma once

#include <span>
#include <string>

#include "backend/kernels/conv_shape.h"

namespace deeper::benchmarks {

// A convolution that the family has, with its bias and Relu.
struct ConvLayer {
  std::string name;  // "3x3 35x35 96-96"
  backend::ConvShape shape;
};

// One of each kind that matters: where the time of Inception-v1 to v4 goes.
std::span<const ConvLayer> conv_layers();

}  // namespace deeper::benchmarks
