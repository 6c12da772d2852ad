#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/parse.h"

namespace deeper::ir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::string_view kChain = R"(graph "chain" {
  input %x: f32[2]
  const %c: f32[2] = {0.1, 3}
  %dead: f32[2] = Unary(%x) {function=exp} "dead"
  %a: f32[2] = Binary(%x, %c) "a"
  %b: f32[2] = Binary(%a, %c) {function=mul} "b"
  %d: f32[2] = Binary(%b, %a) {function=sub} "d"
  output "d" = %d
  output "x" = %x
  output "c" = %c
  output "a" = %a
})";

TEST(Evaluate, RunsAGraph) {
  const std::vector<Array> inputs = {{{2}, {1, 2}}};
  const std::vector<Array> outputs = evaluate(parse(kChain), inputs);
  ASSERT_EQ(outputs.size(), 4U);
  const double tenth = static_cast<double>(0.1F);
  EXPECT_THAT(outputs[0].data, ElementsAre((1 + tenth) * tenth - (1 + tenth), 10));
  EXPECT_THAT(outputs[1].data, ElementsAre(1, 2));
  EXPECT_THAT(outputs[2].data, ElementsAre(tenth, 3));
  EXPECT_THAT(outputs[3].data, ElementsAre(1 + tenth, 5));
}

TEST(Evaluate, ObservesEveryNode) {
  const Graph graph = parse(kChain);
  const std::vector<Array> inputs = {{{2}, {0, 2}}};
  std::vector<std::string> seen;
  EvaluateOptions options;
  options.observe = [&](NodeId id, const Array& array) {
    seen.push_back(graph.node(id).name);
    if (seen.back() == "dead") {
      EXPECT_EQ(array.data[0], 1);
    }
  };
  evaluate(graph, inputs, options);
  EXPECT_THAT(seen, ElementsAre("dead", "a", "b", "d"));
}

TEST(Evaluate, RoundsEveryStepInSinglePrecision) {
  const Graph graph = parse(R"(graph "g" {
    input %x: f32[1]
    const %one: f32[] = {1}
    %a: f32[1] = Binary(%x, %one)
    %b: f32[1] = Binary(%a, %one) {function=sub}
    output "b" = %b
  })");
  const std::vector<Array> inputs = {{{1}, {1e-9}}};
  EvaluateOptions options;
  EXPECT_NEAR(evaluate(graph, inputs, options)[0].data[0], 1e-9, 1e-15);
  options.precision = Precision::f32;
  EXPECT_EQ(evaluate(graph, inputs, options)[0].data[0], 0);
}

TEST(Evaluate, RefusesInputsThatDoNotFit) {
  const Graph graph = parse(kChain);
  const auto fails = [&](std::vector<Array> inputs, const std::string& message) {
    EXPECT_THAT([&] { evaluate(graph, inputs); }, ThrowsMessage<ModelError>(HasSubstr(message)));
  };
  fails({}, "the graph has 1 inputs, given 0");
  fails({{{3}, {1, 2, 3}}}, "input 'x' is f32[2], given f32[3]");
  fails({{{2}, {1}}}, "input 'x' is f32[2], given 1 elements");
}

TEST(Evaluate, OneOp) {
  const Array x{{2}, {1, -2}};
  const std::vector<const Array*> operands = {&x, &x};
  EXPECT_THAT(evaluate_op(Binary{.function = BinaryFunction::mul}, operands, {DataType::f32, {2}}).data,
              ElementsAre(1, 4));
  const Array image{{1, 1, 1, 2}, {1, 2}};
  const Array weights{{1, 1, 1, 1}, {3}};
  const std::vector<const Array*> with_residual = {&image, &weights, nullptr, &image};
  EXPECT_THAT(evaluate_op(Conv{}, with_residual, {DataType::f32, {1, 1, 1, 2}}).data, ElementsAre(4, 8));
}

TEST(Evaluate, TensorsRoundTrip) {
  const Tensor single = Tensor::f32({2}, {0.1F, -3});
  EXPECT_EQ(to_tensor(to_array(single), DataType::f32), single);
  const Tensor whole = Tensor::integer(DataType::i64, {2}, {std::numeric_limits<std::int64_t>::max(), -5});
  EXPECT_EQ(to_tensor(to_array(whole), DataType::i64), whole);
  EXPECT_EQ(to_tensor({{2}, {300, 2}}, DataType::u8), Tensor::integer(DataType::u8, {2}, {44, 2}));
}

TEST(EvaluateConstant, FollowsNodes) {
  const Graph graph = parse(R"(graph "g" {
    input %x: f32[2]
    const %s: i64[4] = {8, 3, 5, 7}
    const %one: i64[1] = {1}
    %a: i64[4] = Binary(%s, %one)
    %b: i64[2] = Slice(%a) {starts=[1], steps=[2], shape=[2]}
    %y: f32[2] = Unary(%x) {function=relu}
    output "b" = %b
    output "y" = %y
  })");
  const auto value = [&](std::size_t i) { return graph.outputs()[i].value; };
  EXPECT_EQ(evaluate_constant(graph, value(0), 4), Tensor::integer(DataType::i64, {2}, {4, 8}));
  EXPECT_EQ(evaluate_constant(graph, value(0), 3), std::nullopt);
  EXPECT_EQ(evaluate_constant(graph, value(1), 100), std::nullopt);
  EXPECT_EQ(evaluate_constant(graph, graph.inputs()[0], 100), std::nullopt);
}

TEST(EvaluateConstant, RefusesLargeResultsBeforeComputingThem) {
  const Graph graph = parse(R"(graph "g" {
    const %one: f32[] = {1}
    %wide: f32[1000000000000] = Expand(%one) {shape=[1000000000000]}
    %sum: f32[] = Reduce(%wide) {kind=sum, axes=[0], keepdims=false}
    output "sum" = %sum
  })");
  EXPECT_EQ(evaluate_constant(graph, graph.outputs()[0].value, 1 << 24), std::nullopt);
  Graph overflowing;
  const ValueId one = overflowing.add_constant("one", Tensor::scalar(1));
  const std::int64_t huge = std::int64_t{1} << 40;
  const ValueId wide = overflowing.add_node(Expand{.shape = {huge, huge}}, {one}, "wide");
  EXPECT_EQ(evaluate_constant(overflowing, wide, 1 << 24), std::nullopt);
}

}  // namespace
}  // namespace deeper::ir
