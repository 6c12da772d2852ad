// AlexNet (Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012), in
// Caffe's reading: its two halves, one per GPU then, are convolutions in two groups.
#include "frontend/zoo/models.h"
#include "frontend/zoo/modules.h"

namespace deeper::frontend::zoo {

void build_alexnet(Network& net, std::int64_t size) {
  FeatureMap x = net.input(size);
  x = net.conv("conv1", x, 96, valid(11, 4));
  x = net.pool("pool1", net.local_response_norm("norm1", x, {}), max_pool(valid(3, 2), false));
  x = net.conv("conv2", x, 256, same(5), 2);
  x = net.pool("pool2", net.local_response_norm("norm2", x, {}), max_pool(valid(3, 2), false));
  x = net.conv("conv3", x, 384, same(3));
  x = net.conv("conv4", x, 384, same(3), 2);
  x = net.conv("conv5", x, 256, same(3), 2);
  x = net.flatten("flatten", net.pool("pool5", x, max_pool(valid(3, 2), false)));
  x = net.dropout("drop6", net.relu("relu6", net.fully_connected("fc6", x, 4096)));
  x = net.dropout("drop7", net.relu("relu7", net.fully_connected("fc7", x, 4096)));
  net.output("prob", net.classifier("fc8", x, 1000));
}

}  // namespace deeper::frontend::zoo
