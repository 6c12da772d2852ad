#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/parse.h"
#include "ir/verify.h"

namespace deeper::ir {

// Reaches what Graph keeps consistent.
struct GraphBreaker {
  static Node& node(Graph& graph, std::string_view name) { return *std::ranges::find(graph.nodes_, name, &Node::name); }
  static Value& value(Graph& graph, std::string_view name) {
    return *std::ranges::find(graph.values_, name, &Value::name);
  }
  static std::vector<NodeId>& order(Graph& graph) { return graph.order_; }
};

namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

constexpr std::string_view kGood = R"(graph "good" {
  input %x: f32[1,2,4,4]
  const %w: f32[3,2,1,1] = seed(1)
  buffer $b[6]
  %a: f32[1,3,4,4] in $b[0] = Conv(%x, %w) "a"
  %b: f32[1,3,4,4] in $b[3] = Unary(%a) {function=relu} "b"
  %c: f32[1,6,4,4] in $b[0] = Concat(%a, %b) "c"
  %d: f32[1,2,4,4] in $b[2] = Slice(%c) {starts=[0,2,0,0], steps=[1,1,1,1], shape=[1,2,4,4]} "d"
  %e: f32[1,2,4,4] = Unary(%d) {function=tanh} "e"
  output "e" = %e
})";

void expect_broken(const Graph& graph, Form form, int invariant, const std::string& message) {
  EXPECT_THAT([&] { verify(graph, form); },
              ThrowsMessage<InternalError>(AllOf(
                  StartsWith("invariant " + std::to_string(invariant) + " does not hold: "), HasSubstr(message))));
}

void expect_broken(const Graph& graph, int invariant, const std::string& message) {
  expect_broken(graph, Form::imported, invariant, message);
}

ValueId value_named(const Graph& graph, std::string_view name) {
  for (std::uint32_t i = 0; i < graph.value_capacity(); ++i) {
    if (graph.value(ValueId{i}).name == name) return ValueId{i};
  }
  return {};
}

TEST(Verify, AcceptsAGoodGraph) {
  verify(parse(kGood), Form::imported);
  verify(parse(kGood), Form::optimized);
}

TEST(Verify, Invariant1OperandsComeBefore) {
  Graph later = parse(kGood);
  later.move_after(later.producer(value_named(later, "a")), later.producer(value_named(later, "b")));
  expect_broken(later, 1, "operand 0 of node 'b' (Unary) does not exist before it");
  Graph itself = parse(kGood);
  GraphBreaker::node(itself, "e").inputs[0] = value_named(itself, "e");
  expect_broken(itself, 1, "operand 0 of node 'e'");
  Graph nowhere = parse(kGood);
  GraphBreaker::node(nowhere, "e").inputs[0] = ValueId{999};
  expect_broken(nowhere, 1, "operand 0 of node 'e'");
}

TEST(Verify, Invariant2OneProducer) {
  Graph other = parse(kGood);
  GraphBreaker::value(other, "e").producer = other.producer(value_named(other, "a"));
  expect_broken(other, 2, "node 'e' (Unary) gives 'e', which does not name it as producer");
  Graph twice = parse(kGood);
  GraphBreaker::order(twice).push_back(twice.order().back());
  expect_broken(twice, 2, "'e' is the result of two nodes");
  Graph constant = parse(kGood);
  GraphBreaker::value(constant, "e").constant = Tensor::seeded({1, 2, 4, 4}, 1);
  expect_broken(constant, 2, "'e' is a constant and the result of node 'e'");
  Graph input = parse(kGood);
  GraphBreaker::value(input, "x").producer = input.order().back();
  expect_broken(input, 2, "'x' names a producer that is not in the order");
  Graph none = parse(kGood);
  GraphBreaker::node(none, "e").output = ValueId{};
  expect_broken(none, 2, "node 'e' (Unary) has no result");
}

TEST(Verify, Invariant3Names) {
  Graph same = parse(kGood);
  GraphBreaker::value(same, "w").name = "x";
  expect_broken(same, 3, "two values are named 'x'");
  Graph empty = parse(kGood);
  GraphBreaker::value(empty, "w").name = "";
  expect_broken(empty, 3, "has no name");
}

TEST(Verify, Invariant4Types) {
  Graph wrong = parse(kGood);
  GraphBreaker::value(wrong, "e").type = {DataType::f32, {1, 2, 4, 5}};
  expect_broken(wrong, 4, "node 'e' (Unary) is f32[1,2,4,5], its operands give f32[1,2,4,4]");
  Graph refused = parse(kGood);
  GraphBreaker::node(refused, "e").inputs.clear();
  expect_broken(refused, 4, "node 'e' (Unary): takes 1 to 1 operands, has 0");
}

TEST(Verify, Invariant5Outputs) {
  Graph none = parse(kGood);
  none.set_outputs({});
  expect_broken(none, 5, "there is no output");
  Graph missing = parse(kGood);
  missing.add_output("f", ValueId{});
  expect_broken(missing, 5, "output 'f' does not exist");
  Graph twice = parse(kGood);
  twice.add_output("e", value_named(twice, "a"));
  expect_broken(twice, 5, "two outputs are named 'e'");
}

TEST(Verify, Invariant6Constants) {
  Graph graph = parse(kGood);
  GraphBreaker::value(graph, "w").constant = Tensor::seeded({3, 2, 1}, 1);
  expect_broken(graph, 6, "constant 'w' is f32[3,2,1,1], its tensor f32[3,2,1]");
}

TEST(Verify, Invariant7Slots) {
  Graph outside = parse(kGood);
  outside.set_slot(value_named(outside, "b"), Slot{BufferId{0}, 4});
  expect_broken(outside, 7, "'b' has 3 channels at 4 of buffer 'b' with 6");
  outside.set_slot(value_named(outside, "b"), Slot{BufferId{0}, -1});
  expect_broken(outside, 7, "'b' has 3 channels at -1");
  Graph nowhere = parse(kGood);
  nowhere.set_slot(value_named(nowhere, "b"), Slot{BufferId{3}, 0});
  expect_broken(nowhere, 7, "'b' lies in a buffer that does not exist");
  const Graph rank = parse("graph \"g\" { input %x: f32[1,2] in $b[0] buffer $b[2] output \"x\" = %x }");
  expect_broken(rank, 7, "'x' in buffer 'b' is f32[1,2]");
  const Graph type = parse("graph \"g\" { input %x: i64[1,2,1,1] in $b[0] buffer $b[2] output \"x\" = %x }");
  expect_broken(type, 7, "'x' in buffer 'b' is i64[1,2,1,1]");
  const Graph extent = parse(
      "graph \"g\" { input %x: f32[1,1,2,2] in $b[0] input %y: f32[1,1,2,3] in $b[1] buffer $b[2] output \"x\" = %x }");
  expect_broken(extent, 7, "'x' and 'y' in buffer 'b' are f32[1,1,2,2] and f32[1,1,2,3]");
}

TEST(Verify, Invariant8LiveSlotsThatOverlapHoldTheSame) {
  Graph graph = parse(kGood);
  graph.set_slot(value_named(graph, "b"), Slot{BufferId{0}, 2});
  expect_broken(graph, 8, "'a' and 'b' share channel 2 of buffer 'b' while both are live");
  Graph shifted = parse(kGood);
  shifted.set_slot(value_named(shifted, "d"), Slot{BufferId{0}, 3});
  expect_broken(shifted, 8, "'c' and 'd' share channel 3");
}

TEST(Verify, Invariant8PiecesOfOneValueMayOverlap) {
  const Graph graph = parse(R"(graph "g" {
    input %x: f32[1,6,2,2]
    buffer $b[5]
    %left: f32[1,4,2,2] in $b[0] = Slice(%x) {starts=[0,1,0,0], steps=[1,1,1,1], shape=[1,4,2,2]}
    %right: f32[1,3,2,2] in $b[2] = Slice(%x) {starts=[0,3,0,0], steps=[1,1,1,1], shape=[1,3,2,2]}
    output "left" = %left
    output "right" = %right
  })");
  verify(graph, Form::optimized);
}

TEST(Verify, Invariant8SpareSlotsMayBeUsedAgain) {
  const auto with_output = [](const std::string& name) {
    return parse(R"(graph "g" {
      input %x: f32[1,1,2,2]
      buffer $b[1]
      %a: f32[1,1,2,2] in $b[0] = Unary(%x) {function=relu}
      %c: f32[1,1,2,2] = Unary(%a) {function=tanh}
      %d: f32[1,1,2,2] in $b[0] = Unary(%c) {function=abs}
      output "d" = %d
      output "last" = %)" +
                 name + "}");
  };
  verify(with_output("c"), Form::optimized);
  expect_broken(with_output("a"), 8, "'a' and 'd' share channel 0");
}

TEST(Verify, Invariant9EveryNodeIsNeeded) {
  Graph graph = parse(kGood);
  graph.add_node(Unary{.function = {Function::tanh, 0, 0}}, {value_named(graph, "e")}, "dead");
  verify(graph, Form::imported);
  expect_broken(graph, Form::optimized, 9, "no output needs node 'dead' (Unary)");
}

TEST(Verify, Invariant10NothingIsLeftToFold) {
  Graph identity = parse(kGood);
  identity.add_output("f", identity.add_node(Identity{}, {value_named(identity, "e")}, "same"));
  verify(identity, Form::imported);
  expect_broken(identity, Form::optimized, 10, "node 'same' (Identity) is left");
  Graph constant = parse(kGood);
  const ValueId w = value_named(constant, "w");
  constant.add_output("f", constant.add_node(Reshape{.shape = {6}}, {w}, "folds"));
  expect_broken(constant, Form::optimized, 10, "node 'folds' (Reshape) depends on constants only");
  Graph large = parse(kGood);
  const ValueId one = large.add_constant("one", Tensor::scalar(1));
  large.add_output("f", large.add_node(Expand{.shape = {kFoldCap + 1}}, {one}, "wide"));
  verify(large, Form::optimized);
}

}  // namespace
}  // namespace deeper::ir
