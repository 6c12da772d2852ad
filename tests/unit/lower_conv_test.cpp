#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

using Random = std::mt19937;

std::int64_t pick(Random& random, std::initializer_list<std::int64_t> choices) {
  return choices.begin()[random() % choices.size()];
}

ir::Activation random_activation(Random& random) {
  switch (random() % 8) {
    case 0:
      return {.function = ir::Function::relu};
    case 1:
      return {.function = ir::Function::leaky_relu, .alpha = 0.1F};
    case 2:
      return {.function = ir::Function::clip, .alpha = -0.5F, .beta = 0.7F};
    case 3:
      return {.function = ir::Function::sigmoid};
    case 4:
      return {.function = ir::Function::tanh};
    case 5:
      return {.function = ir::Function::hard_sigmoid, .alpha = 0.2F, .beta = 0.5F};
    default:
      return {};
  }
}

ir::ValueId weights(ir::Graph& graph, ir::Shape shape) {
  return graph.add_constant("", ir::Tensor::seeded(std::move(shape), graph.value_capacity()));
}

struct Case {
  ir::Conv op;
  std::int64_t batch, in_channels, out_channels, height, width;
  ir::Extent2 kernel;
  bool has_bias, has_residual, reads_slice, writes_slice;
};

Case random_case(unsigned seed) {
  Random random(seed);
  Case c{};
  const std::int64_t groups = pick(random, {1, 1, 1, 1, 2, 8});
  c.op.groups = groups;
  c.batch = pick(random, {1, 1, 2, 3});
  c.in_channels = groups * pick(random, {1, 3, 4, 8, 16, 24, 5});
  c.out_channels = groups * pick(random, {1, 3, 8, 16, 24, 32, 7});
  c.height = pick(random, {5, 7, 8, 14, 17});
  c.width = pick(random, {5, 7, 8, 14, 17});
  c.kernel = {pick(random, {1, 1, 3, 5}), pick(random, {1, 1, 3, 5})};
  if (random() % 3 == 0) c.kernel = {1, 1};
  c.op.strides = {pick(random, {1, 1, 2}), pick(random, {1, 1, 2})};
  if (c.kernel != ir::Extent2{5, 5} && random() % 4 == 0) c.op.dilations = {1 + static_cast<int>(random() % 2), 2};
  for (std::size_t side = 0; side < 4; ++side) {
    if (random() % 2 == 0) c.op.pads[side] = static_cast<std::int64_t>(random()) % c.kernel[side % 2];
  }
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if ((c.kernel[axis] - 1) * c.op.dilations[axis] >= 5) c.op.dilations[axis] = 1;
  }
  c.op.activation = random_activation(random);
  c.has_bias = random() % 2 == 0;
  c.has_residual = random() % 3 == 0;
  c.reads_slice = random() % 2 == 0;
  c.writes_slice = random() % 2 == 0;
  return c;
}

// The source of the convolution: all of a convolution's result, or a slice that is a view of it.
ir::ValueId add_source(ir::Graph& graph, const Case& c) {
  const ir::ValueId x = graph.add_input("x", {ir::DataType::f32, {c.batch, 3, c.height, c.width}});
  const std::int64_t wide = c.reads_slice ? c.in_channels + 13 : c.in_channels;
  const ir::ValueId all = graph.add_node(ir::Conv{}, {x, weights(graph, {wide, 3, 1, 1})}, "all");
  if (!c.reads_slice) return all;
  const ir::BufferId buffer = graph.add_buffer("wide", wide);
  graph.set_slot(all, ir::Slot{buffer, 0});
  const ir::ValueId slice = graph.add_node(
      ir::Slice{.starts = {0, 5, 0, 0}, .steps = {1, 1, 1, 1}, .shape = {c.batch, c.in_channels, c.height, c.width}},
      {all}, "slice");
  graph.set_slot(slice, ir::Slot{buffer, 5});
  return slice;
}

ir::Graph graph_of(const Case& c) {
  ir::Graph graph;
  graph.name = "conv";
  const ir::ValueId source = add_source(graph, c);
  std::vector<ir::ValueId> operands{
      source, weights(graph, {c.out_channels, c.in_channels / c.op.groups, c.kernel[0], c.kernel[1]})};
  operands.push_back(c.has_bias ? weights(graph, {c.out_channels}) : ir::ValueId{});
  if (c.has_residual) {
    const ir::ValueId shaped = graph.add_node(c.op, operands, "shaped");
    const ir::Shape shape = graph.shape(shaped);
    operands.push_back(graph.add_node(ir::Unary{.function = {.function = ir::Function::abs}}, {shaped}, "residual"));
  }
  const ir::ValueId y = graph.add_node(c.op, operands, "y");
  if (!c.writes_slice) {
    graph.add_output("y", y);
    return graph;
  }
  const ir::ValueId z = graph.add_node(c.op, {operands[0], operands[1]}, "z");
  const ir::ValueId cat = graph.add_node(ir::Concat{.axis = 1}, {z, y}, "cat");
  const ir::BufferId buffer = graph.add_buffer("concat", 2 * c.out_channels);
  graph.set_slot(z, ir::Slot{buffer, 0});
  graph.set_slot(y, ir::Slot{buffer, c.out_channels});
  graph.set_slot(cat, ir::Slot{buffer, 0});
  graph.add_output("cat", cat);
  return graph;
}

class LowerConv : public testing::TestWithParam<unsigned> {};

TEST_P(LowerConv, AgreesWithTheOracle) {
  const ir::Graph graph = graph_of(random_case(GetParam()));
  for (const int threads : {1, 2}) {
    expect_right(graph, threads, 3e-6, Kernels::all);
    const runtime::Plan plan = expect_right(graph, threads, 3e-6, Kernels::onednn);
    for (const runtime::Step& step : plan.steps) {
      EXPECT_FALSE(step.implementation.starts_with("ref")) << dump_plan(plan);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Random, LowerConv, testing::Range(0U, 48U));

TEST(LowerConv, AccumulatesOnAResidualThatDies) {
  const runtime::Plan plan = expect_right(ir::parse(R"(graph "residual" {
    input %x: f32[1,8,6,6]
    const %w: f32[16,8,1,1] = seed(1)
    const %v: f32[16,16,3,3] = seed(2)
    %a: f32[1,16,6,6] = Conv(%x, %w)
    %b: f32[1,16,6,6] = Conv(%x, %w) {activation=relu}
    %c: f32[1,16,6,6] = Conv(%b, %v, _, %a) {pads=[1,1,1,1], activation=relu}
    output "c" = %c
  })"),
                                          1);
  const runtime::Step& last = plan.steps.at(3);
  EXPECT_EQ(last.name, "c");
  EXPECT_EQ(last.operands.at(3).offset, last.result.offset);
}

TEST(LowerConv, TakesWeightsThatComeWithTheInput) {
  expect_right(R"(graph "dynamic" {
    input %x: f32[1,4,6,6]
    input %w: f32[8,2,3,3]
    input %b: f32[8]
    %y: f32[1,8,6,6] = Conv(%x, %w, %b) {pads=[1,1,1,1], groups=2}
    output "y" = %y
  })");
}

TEST(LowerConv, AddsAResidualThatLives) {
  expect_right(R"(graph "residual" {
    input %x: f32[1,16,6,6]
    const %w: f32[16,16,1,1] = seed(1)
    const %v: f32[16,16,3,3] = seed(2)
    %a: f32[1,16,6,6] = Conv(%x, %w)
    %b: f32[1,16,6,6] = Conv(%a, %v, _, %a) {pads=[1,1,1,1], activation=relu}
    %c: f32[1,16,6,6] = Conv(%a, %w, _, %x)
    output "b" = %b
    output "c" = %c
  })");
}

}  // namespace
}  // namespace deeper::backend::test
