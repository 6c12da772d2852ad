#include <gtest/gtest.h>

#include "ir/match.h"

namespace deeper::ir {
namespace {

TEST(Match, UniformConstant) {
  Graph graph;
  EXPECT_EQ(uniform_constant(graph, graph.add_constant("a", Tensor::f32({2, 2}, {3, 3, 3, 3}))), 3.0F);
  EXPECT_EQ(uniform_constant(graph, graph.add_constant("b", Tensor::scalar(-1))), -1.0F);
  EXPECT_EQ(uniform_constant(graph, graph.add_constant("c", Tensor::f32({2}, {3, 4}))), std::nullopt);
  EXPECT_EQ(uniform_constant(graph, graph.add_constant("d", Tensor::f32({0}, {}))), std::nullopt);
  EXPECT_EQ(uniform_constant(graph, graph.add_constant("e", Tensor::integer(DataType::i64, {1}, {3}))), std::nullopt);
  EXPECT_EQ(uniform_constant(graph, graph.add_input("x", {DataType::f32, {}})), std::nullopt);
  EXPECT_EQ(uniform_constant(graph, ValueId{}), std::nullopt);
}

TEST(Match, ChannelConstant) {
  Graph graph;
  const Shape image = {1, 2, 3, 4};
  const auto of = [&](Shape shape, std::vector<float> data) {
    return channel_constant(graph, graph.add_constant("", Tensor::f32(std::move(shape), std::move(data))), image);
  };
  const std::vector<float> both = {5, 6};
  EXPECT_EQ(of({1, 2, 1, 1}, both), both);
  EXPECT_EQ(of({2, 1, 1}, both), both);
  EXPECT_EQ(of({}, {7}), (std::vector<float>{7, 7}));
  EXPECT_EQ(of({1, 1, 1}, {7}), (std::vector<float>{7, 7}));
  EXPECT_EQ(of({2}, both), std::nullopt);           // along the width
  EXPECT_EQ(of({2, 1}, both), std::nullopt);        // along the height
  EXPECT_EQ(of({2, 1, 1, 1}, both), std::nullopt);  // along the batch
  EXPECT_EQ(of({1, 1, 2, 1, 1}, both), std::nullopt);
  EXPECT_EQ(of({1, 3, 1, 1}, {1, 2, 3}), std::nullopt);
  EXPECT_EQ(channel_constant(graph, graph.add_input("x", {DataType::f32, {2, 1, 1}}), image), std::nullopt);
}

TEST(Match, CountsMultiplyAdds) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DataType::f32, {2, 4, 5, 5}});
  const ValueId w = graph.add_input("w", {DataType::f32, {6, 2, 3, 1}});
  const ValueId y = graph.add_node(Conv{.strides = {2, 1}, .pads = {1, 0, 1, 0}, .groups = 2}, {x, w}, "y");
  const Node& conv = graph.node(graph.producer(y));
  EXPECT_EQ(graph.shape(y), (Shape{2, 6, 3, 5}));
  EXPECT_EQ(kernel_of(graph, conv), (Extent2{3, 1}));
  EXPECT_EQ(multiply_adds(graph, conv, false), 2 * 6 * 2 * (3 * 3) * 5);
  EXPECT_EQ(multiply_adds(graph, conv, true), 2 * 6 * 2 * (2 + 3 + 2) * 5);

  const ValueId a = graph.add_input("a", {DataType::f32, {3, 2, 7}});
  const ValueId b = graph.add_input("b", {DataType::f32, {7, 5}});
  const ValueId c = graph.add_node(MatMul{}, {a, b}, "c");
  EXPECT_EQ(multiply_adds(graph, graph.node(graph.producer(c)), true), 3 * 2 * 5 * 7);
  const ValueId d = graph.add_node(Unary{.function = {Function::relu, 0, 0}}, {c}, "d");
  EXPECT_EQ(multiply_adds(graph, graph.node(graph.producer(d)), false), 0);
}

}  // namespace
}  // namespace deeper::ir
