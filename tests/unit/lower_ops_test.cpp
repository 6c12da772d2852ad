#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

std::string graph_text(std::string_view body) { return fmt::format("graph \"ops\" {{\n{}\n}}", body); }

TEST(LowerOps, Pools) {
  for (const std::string_view kind : {"max", "average"}) {
    for (const std::string_view pool :
         {"kernel=[3,3], strides=[2,2]", "kernel=[3,3], pads=[1,1,1,1]",
          "kernel=[3,3], pads=[1,1,1,1], count_include_pad=true", "kernel=[3,2], strides=[2,1], pads=[0,0,1,1]",
          "kernel=[3,3], strides=[2,2], ceil_mode=true",
          "kernel=[3,3], strides=[2,2], pads=[1,1,1,1], ceil_mode=true, count_include_pad=true",
          "kernel=[2,2], dilations=[2,2]", "kernel=[8,8]"}) {
      ir::Graph graph = ir::parse(graph_text("input %x: f32[2,16,8,8]\n output \"x\" = %x"));
      const std::string op = fmt::format("Pool {{kind={}, {}}}", kind, pool);
      const ir::ValueId y = graph.add_node(ir::parse_op(op), {graph.inputs()[0]}, "y");
      graph.set_outputs({{"y", y}});
      expect_right_everywhere(graph);
    }
  }
}

TEST(LowerOps, PoolsOnSlices) {
  expect_right(graph_text(R"(
    input %x: f32[1,8,9,9]
    const %w: f32[24,8,1,1] = seed(1)
    buffer $a[24]
    buffer $b[40]
    %wide: f32[1,24,9,9] in $a[0] = Conv(%x, %w)
    %s: f32[1,16,9,9] in $a[8] = Slice(%wide) {starts=[0,8,0,0], steps=[1,1,1,1], shape=[1,16,9,9]}
    %p: f32[1,16,9,9] in $b[0] = Pool(%s) {kind=average, kernel=[3,3], pads=[1,1,1,1]}
    %q: f32[1,24,9,9] in $b[16] = Pool(%wide) {kernel=[3,3], pads=[1,1,1,1]}
    %c: f32[1,40,9,9] in $b[0] = Concat(%p, %q) {axis=1}
    output "c" = %c)"));
}

TEST(LowerOps, Unary) {
  for (const std::string_view function :
       {"relu", "leaky_relu(0.1)", "clip(-0.5, 0.5)", "sigmoid", "tanh", "hard_sigmoid(0.2, 0.5)", "abs", "neg", "exp",
        "floor", "ceil", "round", "sign", "reciprocal"}) {
    for (const std::string_view shape : {"[2,3,5,7]", "[3,9]", "[]"}) {
      SCOPED_TRACE(fmt::format("{} {}", function, shape));
      expect_right(graph_text(fmt::format(
          "input %x: f32{0}\n %y: f32{0} = Unary(%x) {{function={1}}}\n %z: f32{0} = Unary(%y) {{function=abs}}\n"
          "output \"y\" = %y\n output \"z\" = %z",
          shape, function)));
    }
  }
}

TEST(LowerOps, Binary) {
  for (const std::string_view function : {"add", "sub", "mul", "div", "max", "min", "prelu"}) {
    for (const auto& [a, b] : std::vector<std::pair<std::string_view, std::string_view>>{{"[2,3,5,7]", "[2,3,5,7]"},
                                                                                         {"[2,3,5,7]", "[3,1,1]"},
                                                                                         {"[2,3,5,7]", "[]"},
                                                                                         {"[4,6]", "[6]"},
                                                                                         {"[3,1,1]", "[2,3,5,7]"}}) {
      if (function == "prelu" && a.size() < b.size()) continue;
      SCOPED_TRACE(fmt::format("{} {} {}", function, a, b));
      ir::Graph graph = ir::parse(graph_text(fmt::format(
          "input %x: f32{}\n input %y: f32{}\n %p: f32{} = Unary(%x) {{function=tanh}}\n output \"x\" = %x", a, b, a)));
      const ir::ValueId p = graph.node(graph.order()[0]).output;
      const ir::Op op = ir::parse_op(fmt::format("Binary {{function={}}}", function));
      graph.set_outputs({{"z", graph.add_node(op, {p, graph.inputs()[1]}, "z")}});
      expect_right_everywhere(graph);
    }
  }
}

TEST(LowerOps, BatchNorm) {
  for (const std::string_view shape : {"[2,12,5,7]", "[4,12]"}) {
    expect_right(graph_text(fmt::format(
        R"(input %x: f32{0}
        const %scale: f32[12] = seed(1)
        const %bias: f32[12] = seed(2)
        const %mean: f32[12] = seed(3)
        const %variance: f32[12] = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}
        %y: f32{0} = BatchNorm(%x, %scale, %bias, %mean, %variance)
        output "y" = %y)",
        shape)));
  }
  expect_right(graph_text(R"(input %x: f32[1,4,3,3]
    input %scale: f32[4]
    input %bias: f32[4]
    input %mean: f32[4]
    input %root: f32[4]
    %variance: f32[4] = Binary(%root, %root) {function=mul}
    %y: f32[1,4,3,3] = BatchNorm(%x, %scale, %bias, %mean, %variance)
    output "y" = %y)"));
}

TEST(LowerOps, MatMul) {
  for (const std::string_view activation : {"identity", "relu", "hard_sigmoid(0.2, 0.5)"}) {
    expect_right(graph_text(fmt::format(
        R"(input %x: f32[3,20]
        const %a: f32[20,7] = seed(1)
        const %b: f32[7] = seed(2)
        const %c: f32[5,20] = seed(3)
        input %d: f32[20,4]
        %y: f32[3,7] = MatMul(%x, %a, %b) {{activation={0}}}
        %z: f32[3,5] = MatMul(%x, %c) {{transpose_b=true, activation={0}}}
        %u: f32[3,4] = MatMul(%x, %d) {{activation={0}}}
        output "y" = %y
        output "z" = %z
        output "u" = %u)",
        activation)));
  }
  expect_right(graph_text(R"(input %x: f32[2,3,4,5]
    input %y: f32[3,5,6]
    input %t: f32[2,1,6,5]
    const %b: f32[6] = seed(1)
    %z: f32[2,3,4,6] = MatMul(%x, %y, %b)
    %u: f32[2,3,4,6] = MatMul(%x, %t) {transpose_b=true}
    %c: f32[2,6,4,6] = Concat(%z, %u) {axis=1}
    output "c" = %c)"));
}

TEST(LowerOps, Reductions) {
  for (const std::string_view kind : {"sum", "mean", "max", "min", "prod"}) {
    for (const std::string_view axes : {"[2,3]", "[1]", "[0,2]", "[]", "[0,1,2,3]"}) {
      for (const std::string_view keep : {"true", "false"}) {
        ir::Graph graph = ir::parse(graph_text("input %x: f32[2,6,3,4]\n output \"x\" = %x"));
        const std::string op = fmt::format("Reduce {{kind={}, axes={}, keepdims={}}}", kind, axes, keep);
        graph.set_outputs({{"y", graph.add_node(ir::parse_op(op), {graph.inputs()[0]}, "y")}});
        expect_right_everywhere(graph);
      }
    }
  }
}

TEST(LowerOps, Normalisations) {
  for (const std::string_view op : {"Lrn", "Lrn {size=3, alpha=0.5, beta=0.5, bias=2}", "Softmax", "Softmax {axis=3}",
                                    "Softmax {axis=1, log=true}"}) {
    ir::Graph graph = ir::parse(graph_text("input %x: f32[2,16,5,6]\n output \"x\" = %x"));
    graph.set_outputs({{"y", graph.add_node(ir::parse_op(op), {graph.inputs()[0]}, "y")}});
    expect_right_everywhere(graph);
  }
}

TEST(LowerOps, Moves) {
  for (const std::string_view op :
       {"Transpose {perm=[0,2,3,1]}", "Transpose {perm=[3,0,2,1]}", "Reshape {shape=[2,120]}",
        "Reshape {shape=[4,3,5,4]}", "Reshape {shape=[2,6,20]}", "Reshape {shape=[6,2,20,1]}",
        "Slice {starts=[0,1,0,0], steps=[1,2,1,1], shape=[2,3,4,5]}",
        "Slice {starts=[1,5,3,4], steps=[-1,-2,-1,-1], shape=[2,3,4,5]}",
        "Slice {starts=[0,2,1,0], steps=[1,1,1,1], shape=[2,3,2,5]}", "Expand {shape=[2,6,4,5]}",
        "Pad {begins=[0,1,2,0], ends=[1,0,1,3], value=0.5}", "Pad {mode=reflect, begins=[0,0,2,1], ends=[0,0,1,3]}",
        "Pad {mode=edge, begins=[0,0,2,1], ends=[0,0,-1,3]}", "Identity"}) {
    SCOPED_TRACE(op);
    ir::Graph graph = ir::parse(graph_text(R"(input %x: f32[2,3,4,5]
      const %w: f32[6,3,1,1] = seed(1)
      %c: f32[2,6,4,5] = Conv(%x, %w)
      output "c" = %c)"));
    const ir::ValueId c = graph.node(graph.order()[0]).output;
    const ir::ValueId y = graph.add_node(ir::parse_op(op), {c}, "y");
    const ir::ValueId z = graph.add_node(ir::Unary{.function = {.function = ir::Function::neg}}, {y}, "z");
    graph.set_outputs({{"y", y}, {"z", z}, {"c", c}});
    expect_right_everywhere(graph);
  }
}

TEST(LowerOps, ImagesFromInputInNhwc) {
  const ir::Graph graph = ir::parse(graph_text(R"(input %x: f32[1,6,5,3]
    const %w: f32[8,3,3,3] = seed(1)
    %t: f32[1,3,6,5] = Transpose(%x) {perm=[0,3,1,2]}
    %c: f32[1,8,6,5] = Conv(%t, %w) {pads=[1,1,1,1]}
    %y: f32[1,6,5,8] = Transpose(%c) {perm=[0,2,3,1]}
    %f: f32[1,240] = Reshape(%y) {shape=[1,240]}
    output "f" = %f)"));
  expect_right_everywhere(graph);
}

TEST(LowerOps, Concats) {
  expect_right(graph_text(R"(input %x: f32[2,3,4,5]
    input %y: f32[2,2,4,5]
    const %k: f32[2,4,4,5] = seed(3)
    %a: f32[2,9,4,5] = Concat(%x, %y, %k) {axis=1}
    %b: f32[2,3,8,5] = Concat(%x, %x) {axis=2}
    %r: f32[9,5] = Reduce(%a) {axes=[0,2], keepdims=false}
    output "a" = %a
    output "b" = %b
    output "r" = %r)"));
}

TEST(LowerOps, ResizeGatherWhereCast) {
  expect_right(graph_text(R"(input %x: f32[1,3,4,4]
    input %i: i64[2]
    const %zero: f32[] = {0}
    const %j: i64[3] = {2, 0, 1}
    %n: f32[1,3,8,8] = Resize(%x) {mode=linear, scales=[1,1,2,2], shape=[1,3,8,8]}
    %m: f32[1,3,8,8] = Resize(%x) {coordinates=asymmetric, rounding=floor, scales=[1,1,2,2], shape=[1,3,8,8]}
    %g: f32[1,3,4,4] = Gather(%x, %j) {axis=1}
    %p: bool[1,3,4,4] = Binary(%x, %zero) {function=greater}
    %w: f32[1,3,4,4] = Where(%p, %g, %x)
    %k: i64[1,3,4,4] = Cast(%x) {to=i64}
    %l: f32[1,3,4,4] = Cast(%k) {to=f32}
    %e: f32[1,3,4,4] = Binary(%l, %w) {function=add}
    output "n" = %n
    output "m" = %m
    output "e" = %e)"));
}

TEST(LowerOps, OutputsThatAreInputsOrConstantsOrTwice) {
  expect_right(graph_text(R"(input %x: f32[1,3,2,2]
    const %k: f32[1,2,2,2] = seed(4)
    %y: f32[1,3,2,2] = Unary(%x) {function=relu}
    %v: f32[1,12] = Reshape(%y) {shape=[1,12]}
    output "x" = %x
    output "k" = %k
    output "y" = %y
    output "again" = %y
    output "v" = %v)"));
}

}  // namespace
}  // namespace deeper::backend::test
