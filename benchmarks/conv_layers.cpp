#include "benchmarks/conv_layers.h"

#include <fmt/format.h>

#include <vector>

namespace deeper::benchmarks {
namespace {

enum class Padding { same, valid };

ConvLayer layer(std::int64_t size, std::int64_t in, std::int64_t out, ir::Extent2 kernel, std::int64_t stride,
                Padding padding) {
  ir::Conv op{.strides = {stride, stride}, .activation = {.function = ir::Function::relu}};
  if (padding == Padding::same) op.pads = {kernel[0] / 2, kernel[1] / 2, kernel[0] / 2, kernel[1] / 2};
  ConvLayer result;
  result.name = fmt::format("{}x{}{} {}x{} {}-{}", kernel[0], kernel[1], stride == 1 ? "" : fmt::format("s{}", stride),
                            size, size, in, out);
  result.shape = backend::dense_conv_shape(1, in, {size, size}, out, kernel, op);
  result.shape.has_bias = true;
  return result;
}

}  // namespace

std::span<const ConvLayer> conv_layers() {
  using enum Padding;
  static const std::vector<ConvLayer> layers{
      layer(299, 3, 32, {3, 3}, 2, valid),   layer(224, 3, 64, {7, 7}, 2, same),
      layer(147, 32, 64, {3, 3}, 1, same),   layer(73, 80, 192, {3, 3}, 1, valid),
      layer(56, 64, 192, {3, 3}, 1, same),   layer(35, 96, 96, {3, 3}, 1, same),
      layer(35, 64, 96, {3, 3}, 1, same),    layer(28, 128, 192, {3, 3}, 1, same),
      layer(14, 160, 320, {3, 3}, 1, same),  layer(14, 96, 208, {3, 3}, 1, same),
      layer(8, 448, 384, {3, 3}, 1, same),   layer(7, 192, 384, {3, 3}, 1, same),
      layer(35, 48, 64, {5, 5}, 1, same),    layer(28, 32, 96, {5, 5}, 1, same),
      layer(14, 32, 128, {5, 5}, 1, same),   layer(17, 128, 128, {1, 7}, 1, same),
      layer(17, 160, 160, {7, 1}, 1, same),  layer(17, 192, 192, {1, 7}, 1, same),
      layer(17, 192, 192, {7, 1}, 1, same),  layer(8, 384, 384, {1, 3}, 1, same),
      layer(8, 384, 384, {3, 1}, 1, same),   layer(73, 64, 80, {1, 1}, 1, same),
      layer(35, 288, 64, {1, 1}, 1, same),   layer(17, 768, 192, {1, 1}, 1, same),
      layer(14, 512, 160, {1, 1}, 1, same),  layer(8, 2048, 320, {1, 1}, 1, same),
      layer(35, 288, 384, {3, 3}, 2, valid), layer(17, 192, 320, {3, 3}, 2, valid),
  };
  return layers;
}

}  // namespace deeper::benchmarks
