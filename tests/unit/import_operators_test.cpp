// Rules of single operators that changed between opsets or are easy to get wrong. The ONNX project's own cases
// (tests/conformance) cover the current definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/import_support.h"

namespace deeper::import_tests {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

std::size_t count_nodes(const ir::Graph& graph) { return graph.order().size(); }

TEST(ImportSoftmax, MeansAMatrixBeforeOpset13) {
  for (const std::int64_t opset : {11, 13}) {
    ModelBuilder model(opset);
    model.input("x", {1, 2, 2}).output("y");
    model.node("Softmax", {"x"}, {"y"}).set("axis", 1);
    const ir::Array y = run(model, {{{1, 2, 2}, {0, 0, 0, 0}}})[0];
    EXPECT_THAT(y.data[0], DoubleNear(opset < 13 ? 0.25 : 0.5, 1e-12)) << opset;
  }
}

TEST(ImportSoftmax, HasAnotherDefaultAxisFromOpset13) {
  for (const std::int64_t opset : {12, 13}) {
    ModelBuilder model(opset);
    model.input("x", {2, 3, 1}).output("y");
    model.node("Softmax", {"x"}, {"y"});
    const ir::Graph graph = import_of(model).graph;
    EXPECT_EQ(count_nodes(graph), 1U) << "an axis that ends its matrix needs no Reshape";
    EXPECT_EQ(std::get<ir::Softmax>(graph.node(graph.order()[0]).op).axis, opset < 13 ? 1 : 2);
  }
}

TEST(ImportBatchNormalization, PerElementBeforeOpset9) {
  ModelBuilder model(7);
  model.input("x", {1, 1, 2, 1}).output("y");
  for (const char* name : {"scale", "bias", "mean", "var"}) model.constant(name, {1, 2, 1}, {1, 4});
  model.node("BatchNormalization", {"x", "scale", "bias", "mean", "var"}, {"y"}).set("spatial", 0).set("epsilon", 0.0F);
  EXPECT_THAT(run(model, {{{1, 1, 2, 1}, {3, 10}}})[0].data, ElementsAre(3, 16));
}

TEST(ImportBatchNormalization, OnMatricesAndInTraining) {
  ModelBuilder model(14);
  model.input("x", {1, 2}).output("y");
  for (const char* name : {"scale", "bias", "mean", "var"}) model.constant(name, {2}, {1, 4});
  model.node("BatchNormalization", {"x", "scale", "bias", "mean", "var"}, {"y"}).set("epsilon", 0.0F);
  EXPECT_THAT(run(model, {{{1, 2}, {3, 10}}})[0].data, ElementsAre(3, 16));
  ModelBuilder training = model;
  onnx::AttributeProto* attribute = training.graph().mutable_node(0)->add_attribute();
  attribute->set_name("training_mode");
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(1);
  EXPECT_THAT(import_error(training), HasSubstr("training_mode is not supported"));
}

TEST(ImportBatchNormalization, StatisticsOfTrainingMayBeNamedButNotUsed) {
  ModelBuilder model(7);
  model.input("x", {1, 2}).output("y");
  for (const char* name : {"scale", "bias", "mean", "var"}) model.constant(name, {2}, {1, 4});
  model.node("BatchNormalization", {"x", "scale", "bias", "mean", "var"}, {"y", "m", "v", "sm", "sv"});
  EXPECT_EQ(import_error(model), "");
  model.output("sm");
  EXPECT_THAT(import_error(model), HasSubstr("output 3 exists in training only"));
}

struct GemmCase {
  std::int64_t trans_a;
  std::int64_t trans_b;
  float alpha;
  float beta;
  Integers c_shape;  // empty with no values: no C
  Floats c;
};

class Gemm : public testing::TestWithParam<GemmCase> {};

TEST_P(Gemm, IsAlphaABPlusBetaC) {
  const GemmCase& p = GetParam();
  ModelBuilder model(11);
  model.input("a", p.trans_a ? Dims{2, 1} : Dims{1, 2}).output("y");
  model.constant("b", p.trans_b ? Integers{3, 2} : Integers{2, 3}, {1, 2, 3, 4, 5, 6});
  if (!p.c.empty()) model.constant("c", p.c_shape, p.c);
  model.node("Gemm", p.c.empty() ? Names{"a", "b"} : Names{"a", "b", "c"}, {"y"})
      .set("transA", p.trans_a)
      .set("transB", p.trans_b)
      .set("alpha", p.alpha)
      .set("beta", p.beta);
  const ir::Array y = run(model, {{p.trans_a ? ir::Shape{2, 1} : ir::Shape{1, 2}, {1, 10}}})[0];
  ASSERT_EQ(y.shape, (ir::Shape{1, 3}));
  for (std::size_t j = 0; j < 3; ++j) {
    const auto column = static_cast<double>(j);
    const double product = p.trans_b ? (1 + 2 * column) + 10 * (2 + 2 * column) : (1 + column) + 10 * (4 + column);
    const double c = p.c.empty() ? 0 : static_cast<double>(p.c[p.c.size() == 1 ? 0 : j]);
    EXPECT_DOUBLE_EQ(y.data[j], static_cast<double>(p.alpha) * product + static_cast<double>(p.beta) * c);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Gemm,
                         testing::Values(GemmCase{0, 0, 1, 1, {}, {}}, GemmCase{0, 1, 1, 1, {3}, {1, 2, 3}},
                                         GemmCase{1, 0, 1, 1, {1, 3}, {1, 2, 3}},
                                         GemmCase{1, 1, 2, 0.5F, {3}, {2, 4, 6}}, GemmCase{0, 0, 0.5F, 1, {}, {7}},
                                         GemmCase{0, 0, 1, 2, {1}, {7}}, GemmCase{0, 0, 1, 2, {1, 1}, {7}}));

TEST(ImportGemm, ARowBiasBecomesTheProductsBias) {
  ModelBuilder model(11);
  model.input("a", {2, 2}).output("y").constant("b", {2, 1}, {1, 2}).constant("c", {1}, {3});
  model.node("Gemm", {"a", "b", "c"}, {"y"});
  EXPECT_EQ(count_nodes(import_of(model).graph), 1U);
}

TEST(ImportBroadcast, BeforeOpset7StandsAtAnAxis) {
  ModelBuilder model(6);
  model.input("x", {1, 2, 1, 2}).output("y").constant("c", {2}, {10, 100});
  model.node("Mul", {"x", "c"}, {"y"}).set("broadcast", 1).set("axis", 1);
  EXPECT_THAT(run(model, {ramp({1, 2, 1, 2}, 1, 1)})[0].data, ElementsAre(10, 20, 300, 400));
  ModelBuilder unset(6);
  unset.input("x", {1, 2, 1, 2}).output("y").constant("c", {2}, {10, 100});
  unset.node("Mul", {"x", "c"}, {"y"});
  EXPECT_THAT(import_error(unset), HasSubstr("'broadcast' is not set"));
}

TEST(ImportClip, BoundsAreAttributesThenOperands) {
  ModelBuilder old(6);
  old.input("x", {3}).output("y");
  old.node("Clip", {"x"}, {"y"}).set("max", 6.0F).set("min", 0.0F);
  EXPECT_THAT(run(old, {{{3}, {-1, 3, 9}}})[0].data, ElementsAre(0, 3, 6));
  ModelBuilder lower_only(11);
  lower_only.input("x", {3}).output("y").constant("low", {}, {0});
  lower_only.node("Clip", {"x", "low"}, {"y"});
  EXPECT_THAT(run(lower_only, {{{3}, {-1, 3, 9}}})[0].data, ElementsAre(0, 3, 9));
  ModelBuilder upper_only(11);
  upper_only.input("x", {3}).output("y").constant("high", {}, {6});
  upper_only.node("Clip", {"x", "", "high"}, {"y"});
  EXPECT_THAT(run(upper_only, {{{3}, {-1, 3, 9}}})[0].data, ElementsAre(-1, 3, 6));
  ModelBuilder computed(13);
  computed.input("x", {3}).input("low", {}).output("y");
  computed.node("Clip", {"x", "low"}, {"y"});
  EXPECT_THAT(run(computed, {{{3}, {-1, 3, 9}}, {{}, {2}}})[0].data, ElementsAre(2, 3, 9));
}

TEST(ImportReduce, AxesAreAnAttributeThenAnOperand) {
  const auto reduced = [](const char* op, std::int64_t opset, bool operand) {
    ModelBuilder model(opset);
    model.input("x", {1, 2, 2}).output("y").integers("axes", {-1});
    NodeBuilder node = model.node(op, operand ? Names{"x", "axes"} : Names{"x"}, {"y"});
    node.set("keepdims", 0);
    if (!operand) node.set("axes", Integers{-1});
    return run(model, {ramp({1, 2, 2}, 1, 1)})[0].data;
  };
  EXPECT_THAT(reduced("ReduceMean", 17, false), ElementsAre(1.5, 3.5));
  EXPECT_THAT(reduced("ReduceMean", 18, true), ElementsAre(1.5, 3.5));
  EXPECT_THAT(reduced("ReduceSum", 12, false), ElementsAre(3, 7));
  EXPECT_THAT(reduced("ReduceSum", 13, true), ElementsAre(3, 7));
}

TEST(ImportReduce, WithoutAxesReducesAllOrNothing) {
  for (const int noop : {0, 1}) {
    ModelBuilder model(18);
    model.input("x", {1, 2}).output("y");
    model.node("ReduceMean", {"x"}, {"y"}).set("noop_with_empty_axes", noop);
    EXPECT_EQ(run(model, {ramp({1, 2}, 1, 1)})[0].data.size(), noop == 1 ? 2U : 1U);
  }
}

TEST(ImportReshape, ZeroMinusOneAndAllowzero) {
  const auto reshaped = [](const Integers& shape, int allowzero) {
    ModelBuilder model(14);
    model.input("x", {2, 3, 4}).output("y").integers("shape", shape);
    model.node("Reshape", {"x", "shape"}, {"y"}).set("allowzero", allowzero);
    return import_of(model).graph.shape(import_of(model).graph.outputs()[0].value);
  };
  EXPECT_EQ(reshaped({0, -1}, 0), (ir::Shape{2, 12}));
  EXPECT_EQ(reshaped({-1, 0, 2}, 0), (ir::Shape{4, 3, 2}));
  EXPECT_EQ(reshaped({-1, 6}, 1), (ir::Shape{4, 6}));
  ModelBuilder zero(14);
  zero.input("x", {2, 3}).output("y").integers("shape", {0, 3});
  zero.node("Reshape", {"x", "shape"}, {"y"}).set("allowzero", 1);
  EXPECT_THAT(import_error(zero), HasSubstr("f32[2,3] cannot become [0,3]"));
}

TEST(ImportShapeArithmetic, FoldsOnTheWay) {
  ModelBuilder model(13);
  model.input("x", {"N", 2, 3, 3}).output("y");
  model.node("Shape", {"x"}, {"s"});
  model.node("Cast", {"s"}, {"s32"}).set("to", onnx::TensorProto::INT32);
  model.integers("start", {0}).integers("end", {1}).integers("axis", {0});
  model.node("Slice", {"s32", "start", "end", "axis"}, {"n1"});
  model.node("Squeeze", {"n1", "axis"}, {"n"});
  model.node("Unsqueeze", {"n", "axis"}, {"n2"});
  model.tensor("tail", integer_tensor({1}, {-1}, onnx::TensorProto::INT32));
  model.node("Concat", {"n2", "tail"}, {"shape32"}).set("axis", 0);
  model.node("Cast", {"shape32"}, {"shape"}).set("to", onnx::TensorProto::INT64);
  model.node("Reshape", {"x", "shape"}, {"y"});
  const ir::Graph graph = import_of(model, {.dims = {{"N", 5}}, .input_shapes = {}, .outputs = {}}).graph;
  EXPECT_EQ(graph.shape(graph.outputs()[0].value), (ir::Shape{5, 18}));
}

TEST(ImportShapeArithmetic, ThatDependsOnDataIsRefused) {
  ModelBuilder model(13);
  model.input("x", {2, 3}).input("s", {2}, onnx::TensorProto::INT64).output("y");
  model.node("Reshape", {"x", "s"}, {"y"}).name("r");
  EXPECT_THAT(import_error(model), HasSubstr("node 'r' (Reshape, opset 13): shape (input 1) must be a constant"));
}

TEST(ImportSqueeze, AxesAsAttributeOperandOrAbsent) {
  for (const std::int64_t opset : {11, 13}) {
    ModelBuilder model(opset);
    model.input("x", {1, 2, 1, 3}).output("y").output("z").integers("axes", {-2});
    if (opset < 13) model.node("Squeeze", {"x"}, {"y"}).set("axes", Integers{-2});
    if (opset >= 13) model.node("Squeeze", {"x", "axes"}, {"y"});
    model.node("Squeeze", {"x"}, {"z"});
    const ir::Graph graph = import_of(model).graph;
    EXPECT_EQ(graph.shape(graph.outputs()[0].value), (ir::Shape{1, 2, 3}));
    EXPECT_EQ(graph.shape(graph.outputs()[1].value), (ir::Shape{2, 3}));
  }
}

TEST(ImportSplit, GivesOnlyThePiecesThatAreUsed) {
  ModelBuilder model(18);
  model.input("x", {7, 1}).output("b").output("c");
  model.node("Split", {"x"}, {"a", "b", "c"}).set("num_outputs", 3);
  const ir::Graph graph = import_of(model).graph;
  EXPECT_EQ(count_nodes(graph), 2U);
  EXPECT_EQ(graph.shape(graph.outputs()[0].value), (ir::Shape{3, 1}));
  EXPECT_EQ(graph.shape(graph.outputs()[1].value), (ir::Shape{1, 1}));
  ModelBuilder old(11);
  old.input("x", {7}).output("a").output("b");
  old.node("Split", {"x"}, {"a", "b"});
  EXPECT_THAT(import_error(old), HasSubstr("7 elements do not split into 2"));
}

TEST(ImportGather, IndicesAreHeldAgainstTheData) {
  const auto gathered = [](std::int64_t index) {
    ModelBuilder model(13);
    model.input("x", {1, 3, 2}).output("y");
    model.tensor("i", integer_tensor({}, {index}, onnx::TensorProto::INT64));
    model.node("Gather", {"x", "i"}, {"y"}).set("axis", 1);
    return model;
  };
  const ir::Array y = run(gathered(-1), {ramp({1, 3, 2}, 0, 1)})[0];
  EXPECT_EQ(y.shape, (ir::Shape{1, 2}));
  EXPECT_THAT(y.data, ElementsAre(4, 5));
  EXPECT_THAT(import_error(gathered(3)), HasSubstr("index 3 is outside 3 elements"));
}

TEST(ImportResize, UpsampleByScales) {
  ModelBuilder model(9);
  model.input("x", {1, 1, 1, 2}).output("y").constant("scales", {4}, {1, 1, 1, 2});
  model.node("Upsample", {"x", "scales"}, {"y"}).set("mode", "linear");
  EXPECT_THAT(run(model, {{{1, 1, 1, 2}, {0, 2}}})[0].data, ElementsAre(0, 1, 2, 2));
}

TEST(ImportResize, BySizesWithEmptyRoiAndScales) {
  ModelBuilder model(13);
  model.input("x", {1, 1, 1, 2}).output("y").constant("none", {0}, {}).integers("sizes", {1, 1, 1, 4});
  model.node("Resize", {"x", "none", "none", "sizes"}, {"y"}).set("mode", "linear");
  EXPECT_THAT(run(model, {{{1, 1, 1, 2}, {0, 4}}})[0].data, ElementsAre(0, 1, 3, 4));
  ModelBuilder cubic(13);
  cubic.input("x", {1, 1, 1, 2}).output("y").integers("sizes", {1, 1, 1, 4});
  cubic.node("Resize", {"x", "", "", "sizes"}, {"y"}).set("mode", "cubic");
  EXPECT_THAT(import_error(cubic), HasSubstr("mode 'cubic' is not supported"));
}

TEST(ImportDropout, IsIdentityWithAMaskOfOnes) {
  ModelBuilder model(13);
  model.input("x", {2}).output("y").output("mask").constant("ratio", {}, {0.5F});
  model.tensor("training", integer_tensor({}, {0}, onnx::TensorProto::BOOL));
  model.node("Dropout", {"x", "ratio", "training"}, {"y", "mask"});
  const std::vector<ir::Array> outputs = run(model, {ramp({2}, 3, 1)});
  EXPECT_THAT(outputs[0].data, ElementsAre(3, 4));
  EXPECT_THAT(outputs[1].data, ElementsAre(1, 1));
}

TEST(ImportConstant, InItsFormsOfAttribute) {
  ModelBuilder model(13);
  model.input("x", {1}).output("a").output("b").output("c").output("d").output("e");
  model.node("Constant", {}, {"a"}).set("value", float_tensor({1}, {1}));
  model.node("Constant", {}, {"b"}).set("value_float", 2.0F);
  model.node("Constant", {}, {"c"}).set("value_int", 3);
  model.node("Constant", {}, {"d"}).set("value_floats", Floats{4, 5});
  model.node("Constant", {}, {"e"}).set("value_ints", Integers{6, 7});
  const std::vector<ir::Array> all = run(model, {ramp({1}, 0, 0)});
  EXPECT_EQ(all[1].shape, ir::Shape{});
  EXPECT_THAT(all[2].data, ElementsAre(3));
  EXPECT_THAT(all[3].data, ElementsAre(4, 5));
  EXPECT_THAT(all[4].data, ElementsAre(6, 7));
  ModelBuilder text(13);
  text.input("x", {1}).output("a");
  text.node("Constant", {}, {"a"}).set("value_string", "no");
  EXPECT_THAT(import_error(text), HasSubstr("has no value of a supported form"));
}

TEST(ImportVariadic, SumMeanMaxMin) {
  const auto combined = [](const char* op) {
    ModelBuilder model(13);
    model.input("a", {2}).input("b", {2}).input("c", {1}).output("y");
    model.node(op, {"a", "b", "c"}, {"y"});
    return run(model, {{{2}, {1, 8}}, {{2}, {4, 2}}, {{1}, {7}}})[0].data;
  };
  EXPECT_THAT(combined("Sum"), ElementsAre(12, 17));
  EXPECT_THAT(combined("Mean"), ElementsAre(4, DoubleNear(17.0 / 3, 1e-12)));
  EXPECT_THAT(combined("Max"), ElementsAre(7, 8));
  EXPECT_THAT(combined("Min"), ElementsAre(1, 2));
}

TEST(ImportPRelu, SlopePerChannelBeforeOpset7) {
  ModelBuilder model(6);
  model.input("x", {1, 2, 1, 1}).output("y").constant("slope", {2}, {0.5F, 0.25F});
  model.node("PRelu", {"x", "slope"}, {"y"});
  EXPECT_THAT(run(model, {{{1, 2, 1, 1}, {-4, -4}}})[0].data, ElementsAre(-2, -1));
}

TEST(ImportCast, NamesItsTypeBeforeOpset6) {
  ModelBuilder model(5);
  model.input("x", {2}).output("y");
  model.node("Cast", {"x"}, {"y"}).set("to", "INT64");
  EXPECT_THAT(run(model, {{{2}, {1.7, -1.7}}})[0].data, ElementsAre(1, -1));
}

}  // namespace
}  // namespace deeper::import_tests
