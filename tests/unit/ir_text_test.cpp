#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "ir/error.h"
#include "ir/parse.h"
#include "ir/print.h"

namespace deeper::ir {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

void expect_equal(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.name, b.name);
  ASSERT_EQ(a.order().size(), b.order().size());
  ASSERT_EQ(a.inputs().size(), b.inputs().size());
  ASSERT_EQ(a.outputs().size(), b.outputs().size());
  ASSERT_TRUE(std::ranges::equal(a.buffers(), b.buffers()));
  const auto expect_same_value = [&](ValueId x, ValueId y) {
    ASSERT_EQ(x.valid(), y.valid());
    if (!x.valid()) return;
    EXPECT_EQ(a.value(x).name, b.value(y).name);
    EXPECT_EQ(a.type(x), b.type(y));
    EXPECT_EQ(a.constant(x), b.constant(y));
    EXPECT_EQ(a.value(x).slot, b.value(y).slot);
  };
  for (std::size_t i = 0; i < a.inputs().size(); ++i) expect_same_value(a.inputs()[i], b.inputs()[i]);
  for (std::size_t i = 0; i < a.order().size(); ++i) {
    const Node& x = a.node(a.order()[i]);
    const Node& y = b.node(b.order()[i]);
    EXPECT_EQ(x.op, y.op);
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.origins, y.origins);
    expect_same_value(x.output, y.output);
    ASSERT_EQ(x.inputs.size(), y.inputs.size());
    for (std::size_t k = 0; k < x.inputs.size(); ++k) expect_same_value(x.inputs[k], y.inputs[k]);
  }
  for (std::size_t i = 0; i < a.outputs().size(); ++i) {
    EXPECT_EQ(a.outputs()[i].name, b.outputs()[i].name);
    expect_same_value(a.outputs()[i].value, b.outputs()[i].value);
  }
}

constexpr std::string_view kTiny = R"(graph "tiny" {
  input %x: f32[1,2,4,4]
  input %r: f32[1,2,4,4]
  const %w: f32[2,2,1,1] = {1, 0, 0.5, -1}
  const %v: f32[64,2,3,3] = seed(7)
  const %i: i64[2] = {0, -1}
  const %flag: bool[] = {1}
  buffer $b0[4]
  %y: f32[1,2,4,4] in $b0[2] = Conv(%x, %w, _, %r) {activation=relu} "node name" from "a", "b"
  %conv:0: f32[1,2,4,4] = Conv(%y, %w) {activation=clip(0, 6)}
  %"two words": f32[1,64,4,4] = Conv(%conv:0, %v) {pads=[1,1,1,1], activation=leaky_relu(0.1)} "two words"
  %g: f32[2,64,4,4] = Gather(%"two words", %i)
  %t: f32[4,4,64,2] = Transpose(%g) {perm=[3,2,1,0]}
  %s: f32[] = Reduce(%t) {kind=sum, axes=[0,1,2,3], keepdims=false}
  %c: i32[] = Cast(%s) {to=i32}
  %m: i32[] = Binary(%c, %c) {function=max}
  output "prob" = %s
  output "prob" = %m
}
)";

TEST(Text, RoundTripsTheDocumentedForm) {
  const Graph graph = parse(kTiny);
  EXPECT_EQ(print(graph), kTiny);
  expect_equal(graph, parse(print(graph)));
}

TEST(Text, RoundTripsNamesOfAnyCharacters) {
  Graph graph;
  graph.name = "quote \" backslash \\ line\n end";
  const ValueId x = graph.add_input("a\tb\"c\\d\x01 \xc3\xa9 ends:", {DataType::f32, {2}});
  const ValueId colon = graph.add_node(Identity{}, {x}, "ends:", {"", "o\"1"});
  graph.set_node_name(graph.producer(colon), "");
  const ValueId slash = graph.add_node(Identity{}, {colon}, "a/b.c-d:0");
  graph.add_output("out \"x\"", slash);
  expect_equal(graph, parse(print(graph)));
  EXPECT_EQ(print(parse(print(graph))), print(graph));
}

TEST(Text, RoundTripsEveryFloatBitForBit) {
  using Limits = std::numeric_limits<float>;
  std::vector<float> numbers = {0.0F,
                                -0.0F,
                                0.1F,
                                1e-45F,
                                -1.17549435e-38F,
                                Limits::max(),
                                Limits::infinity(),
                                -Limits::infinity(),
                                std::bit_cast<float>(0x7fc00000U),
                                std::bit_cast<float>(0xffc00000U),
                                std::bit_cast<float>(0x7f800001U),
                                16777216.0F};
  for (std::uint32_t i = 0; i < 2000; ++i) numbers.push_back(std::bit_cast<float>(i * 2654435761U));
  Graph graph;
  graph.name = "floats";
  const auto count = static_cast<std::int64_t>(numbers.size());
  const ValueId constant = graph.add_constant("c", Tensor::f32({count}, numbers));
  graph.add_output("c", constant);
  expect_equal(graph, parse(print(graph)));
}

TEST(Text, RoundTripsIntegersOfFullWidth) {
  Graph graph;
  using Limits = std::numeric_limits<std::int64_t>;
  graph.add_output("c", graph.add_constant("c", Tensor::integer(DataType::i64, {2}, {Limits::min(), Limits::max()})));
  expect_equal(graph, parse(print(graph)));
  Graph empty;
  empty.add_output("c", empty.add_constant("c", Tensor::f32({0, 3}, {})));
  expect_equal(empty, parse(print(empty)));
}

TEST(Text, RoundTripsOpsWithEveryAttribute) {
  const std::vector<Op> ops = {Conv{.strides = {2, 1},
                                    .dilations = {1, 3},
                                    .pads = {0, 1, 2, 3},
                                    .groups = 4,
                                    .activation = {Function::hard_sigmoid, 0.2F, 0.5F}},
                               MatMul{.transpose_b = true, .activation = {Function::relu, 0, 0}},
                               BatchNorm{.epsilon = 1e-3F},
                               Unary{.function = {Function::logical_not, 0, 0}},
                               Unary{.function = {Function::relu, 0.5F, 0}},
                               Unary{.function = {Function::tanh, 0, -2.0F}},
                               Unary{.function = {Function::clip, -std::numeric_limits<float>::infinity(), 6}},
                               Binary{.function = BinaryFunction::logical_or},
                               Pool{.kind = PoolKind::average,
                                    .kernel = {3, 2},
                                    .strides = {2, 2},
                                    .dilations = {1, 2},
                                    .pads = {1, 0, 1, 0},
                                    .ceil_mode = true,
                                    .count_include_pad = true},
                               Reduce{.kind = ReduceKind::prod, .axes = {0, 2}, .keepdims = false},
                               Lrn{.size = 3, .alpha = 2e-4F, .beta = 0.5F, .bias = 2},
                               Concat{.axis = 3},
                               Slice{.starts = {1, 5}, .steps = {1, -2}, .shape = {2, 3}},
                               Reshape{.shape = {}},
                               Reshape{.shape = {1, -1}},
                               Pad{.mode = PadMode::reflect, .begins = {0, -1}, .ends = {2, 0}, .value = -0.0F},
                               Softmax{.axis = 0, .log = true},
                               Resize{.mode = ResizeMode::linear,
                                      .coordinates = Coordinates::align_corners,
                                      .rounding = NearestRounding::ceil,
                                      .scales = {1, 0.3F},
                                      .shape = {1, 7}},
                               Gather{.axis = 2},
                               Where{},
                               Expand{.shape = {4, 4}},
                               Cast{.to = DataType::boolean},
                               Identity{}};
  for (const Op& op : ops) {
    EXPECT_EQ(parse_op(print_op(op)), op) << print_op(op);
    EXPECT_EQ(print_op(parse_op(print_op(op))), print_op(op));
  }
  EXPECT_EQ(print_op(Conv{.pads = {1, 1, 1, 1}}), "Conv {pads=[1,1,1,1]}");
  EXPECT_EQ(print_op(Unary{.function = {Function::relu, 0, 0}}), "Unary {function=relu}");
}

TEST(Text, KeepsLargeConstantsInASideFile) {
  const std::filesystem::path folder = std::filesystem::path(DEEPER_BINARY_DIR) / "ir_text_files";
  std::filesystem::create_directories(folder);
  Graph graph;
  graph.name = "side";
  std::vector<float> numbers(100);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 1.0F / static_cast<float>(i);
  graph.add_output("a", graph.add_constant("a", Tensor::f32({100}, numbers)));
  graph.add_output("b",
                   graph.add_constant("b", Tensor::integer(DataType::i32, {70}, std::vector<std::int64_t>(70, -5))));
  graph.add_output("c", graph.add_constant("c", Tensor::seeded({10, 10}, 3)));
  graph.add_output("d", graph.add_constant("d", Tensor::scalar(2)));
  const std::string text = print(graph, {.inline_limit = 64, .side_file = (folder / "side.bin").string()});
  EXPECT_THAT(text, HasSubstr("const %b: i32[70] = file(\"side.bin\", 448)"));
  EXPECT_THAT(text, HasSubstr("const %c: f32[10,10] = seed(3)"));
  EXPECT_THAT(text, HasSubstr("const %d: f32[] = {2}"));
  expect_equal(graph, parse(text, folder));

  std::filesystem::resize_file(folder / "side.bin", 500);
  EXPECT_THAT([&] { parse(text, folder); }, ThrowsMessage<ModelError>(HasSubstr("holds no i32[70] at 448")));
  std::filesystem::remove(folder / "side.bin");
  EXPECT_THAT([&] { parse(text, folder); }, ThrowsMessage<ModelError>(HasSubstr("cannot read 'side.bin'")));
}

TEST(Text, NamesThePlaceOfAnError) {
  const auto fails = [](std::string_view text, const std::string& message) {
    EXPECT_THAT([&] { parse(text); }, ThrowsMessage<ModelError>(HasSubstr(message))) << text;
  };
  fails("graf", "line 1, column 1: expected 'graph'");
  fails("graph \"a\" {\n  input %x f32[1]\n}", "line 2, column 12: expected ':'");
  fails("graph \"a\" {\n  input %x: f64[1]\n}", "'f64' is no element type");
  fails("graph \"a\" {\n  %y: f32[1] = Identity(%x)\n}", "line 2, column 25: no value 'x' before here");
  fails("graph \"a\" {\n  input %x: f32[1]\n  %y: f32[2] = Identity(%x)\n}",
        "line 3, column 3: 'y' is declared f32[2] but its node gives f32[1]");
  fails("graph \"a\" {\n  input %x: f32[1]\n  %y: f32[1] = Softmax(%x)\n}", "line 3, column 3: node 'y': axis 1");
  fails("graph \"a\" {\n  input %x: f32[1]\n  %y: f32[1] = Nothing(%x)\n}", "line 3, column 16: 'Nothing' is no op");
  fails("graph \"a\" {\n  input %x: f32[1]\n  %y: f32[1] = Softmax(%x) {exis=0}\n}", "Softmax has no attribute 'exis'");
  fails("graph \"a\" {\n  input %x: f32[1]\n  input %x: f32[1]\n}", "line 3, column 9: 'x' is taken");
  fails("graph \"a\" {\n  input %x: f32[1] in $b[0]\n}", "no buffer 'b'");
  fails("graph \"a\" {\n  const %x: f32[2] = {1}\n}", "1 elements for 2");
  fails("graph \"a\" {\n  const %x: f32[2] = file(\"../x\", 0)\n}", "is not a plain file name");
  fails("graph \"a\" {\n  const %x: f32[99999999,99999999,99999999] = {1}\n}", "no element count that fits");
  fails("graph \"a\" {\n  const %x: f32[99999999,99999999] = seed(1)\n}", "too large");
  fails("graph \"a", "unfinished string");
  fails("graph \"a\" {", "expected '%'");
  fails("graph \"a\" {} x", "expected the end of the text");
}

TEST(Text, AllowsComments) {
  const Graph graph =
      parse("# first\n#second\ngraph \"a\" { # here\n input %x: f32[1] #there\n output \"x\" = %x }\n#");
  EXPECT_EQ(print(graph), "graph \"a\" {\n  input %x: f32[1]\n  output \"x\" = %x\n}\n");
}

TEST(Text, SummaryLeavesConstantsOut) {
  EXPECT_THAT(print_summary(parse(kTiny)), HasSubstr("  const %w: f32[2,2,1,1]\n  const %v: f32[64,2,3,3]\n"));
}

TEST(Text, PrunedValuesAreGone) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DataType::f32, {1}});
  graph.add_node(Identity{}, {x}, "dead");
  graph.add_constant("unused", Tensor::scalar(1));
  graph.add_output("x", x);
  ASSERT_TRUE(graph.prune());
  EXPECT_EQ(print(graph), "graph \"\" {\n  input %x: f32[1]\n  output \"x\" = %x\n}\n");
}

TEST(Text, BufferNamesAreUnique) {
  Graph graph;
  EXPECT_EQ(graph.buffer(graph.add_buffer("", 4)).name, "b0");
  EXPECT_EQ(graph.buffer(graph.add_buffer("b0", 4)).name, "b0.1");
}

}  // namespace
}  // namespace deeper::ir
