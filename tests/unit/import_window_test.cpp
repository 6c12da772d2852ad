// Convolutions and pools: padding in all its forms, ceil_mode, one-dimensional windows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/import_support.h"

namespace deeper::import_tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Op>
const Op& only_op(const ir::Graph& graph) {
  for (const ir::NodeId id : graph.order()) {
    if (const Op* op = std::get_if<Op>(&graph.node(id).op)) return *op;
  }
  throw std::runtime_error("no such op");
}

struct SameCase {
  const char* auto_pad;
  std::int64_t extent;
  std::int64_t kernel;
  std::int64_t stride;
  std::int64_t dilation;
  std::array<std::int64_t, 2> pads;  // begin, end
  std::int64_t result;
};

class AutoPad : public testing::TestWithParam<SameCase> {};

TEST_P(AutoPad, BecomesPads) {
  const SameCase& c = GetParam();
  ModelBuilder model(11);
  model.input("x", {1, 1, c.extent, c.extent}).output("y");
  const Integers w_shape = {1, 1, c.kernel, c.kernel};
  model.constant("w", w_shape, Floats(static_cast<std::size_t>(c.kernel * c.kernel), 1.0F));
  model.node("Conv", {"x", "w"}, {"y"})
      .set("auto_pad", c.auto_pad)
      .set("pads", Integers{7, 7, 7, 7})
      .set("strides", Integers{c.stride, c.stride})
      .set("dilations", Integers{c.dilation, c.dilation});
  const ir::Graph graph = import_of(model).graph;
  EXPECT_EQ(only_op<ir::Conv>(graph).pads, (ir::Pads{c.pads[0], c.pads[0], c.pads[1], c.pads[1]}));
  EXPECT_EQ(graph.shape(graph.outputs()[0].value), (ir::Shape{1, 1, c.result, c.result}));
}

INSTANTIATE_TEST_SUITE_P(
    All, AutoPad,
    testing::Values(SameCase{"SAME_UPPER", 6, 3, 2, 1, {0, 1}, 3}, SameCase{"SAME_LOWER", 6, 3, 2, 1, {1, 0}, 3},
                    SameCase{"SAME_UPPER", 7, 3, 2, 1, {1, 1}, 4}, SameCase{"SAME_UPPER", 224, 7, 2, 1, {2, 3}, 112},
                    SameCase{"SAME_LOWER", 224, 7, 2, 1, {3, 2}, 112}, SameCase{"SAME_UPPER", 9, 3, 1, 2, {2, 2}, 9},
                    SameCase{"SAME_UPPER", 9, 1, 3, 1, {0, 0}, 3}, SameCase{"VALID", 9, 3, 2, 1, {0, 0}, 4}));

TEST(ImportWindow, PadsAreReadWhereAutoPadIsNotSet) {
  ModelBuilder model(11);
  model.input("x", {1, 1, 4, 4}).output("y").constant("w", {1, 1, 1, 2}, {1, 1});
  model.node("Conv", {"x", "w"}, {"y"}).set("auto_pad", "NOTSET").set("pads", Integers{0, 1, 2, 3});
  EXPECT_EQ(only_op<ir::Conv>(import_of(model).graph).pads, (ir::Pads{0, 1, 2, 3}));
}

TEST(ImportWindow, KernelShapeMustBeThatOfTheWeights) {
  ModelBuilder model(11);
  model.input("x", {1, 1, 4, 4}).output("y").constant("w", {1, 1, 2, 2}, {1, 1, 1, 1});
  model.node("Conv", {"x", "w"}, {"y"}).set("kernel_shape", Integers{3, 3});
  EXPECT_THAT(import_error(model), HasSubstr("'kernel_shape' is [3,3], the weights are [2,2]"));
}

TEST(ImportWindow, OneDimensionalConvolution) {
  ModelBuilder model(11);
  model.input("x", {1, 1, 4}).output("y").constant("w", {1, 1, 2}, {1, 10}).constant("b", {1}, {100});
  model.node("Conv", {"x", "w", "b"}, {"y"}).set("pads", Integers{1, 0}).set("strides", Integers{2});
  const ir::Array y = run(model, {ramp({1, 1, 4}, 1, 1)})[0];
  EXPECT_EQ(y.shape, (ir::Shape{1, 1, 2}));
  EXPECT_THAT(y.data, ElementsAre(110, 132));
}

TEST(ImportWindow, VolumesAndUnknownPaddingAreRefused) {
  ModelBuilder volume(11);
  volume.input("x", {1, 1, 4, 4, 4}).output("y");
  volume.node("MaxPool", {"x"}, {"y"}).set("kernel_shape", Integers{2, 2, 2});
  EXPECT_THAT(import_error(volume), HasSubstr("rank 5 is not supported"));
  ModelBuilder unknown(11);
  unknown.input("x", {1, 1, 4, 4}).output("y");
  unknown.node("MaxPool", {"x"}, {"y"}).set("kernel_shape", Integers{2, 2}).set("auto_pad", "SOMEHOW");
  EXPECT_THAT(import_error(unknown), HasSubstr("auto_pad 'SOMEHOW' is unknown"));
}

// A window of 3 and stride 2 over 1 2 3 4 5 6 in one row, in the form given.
std::vector<double> pooled(const char* op, std::int64_t ceil_mode, std::int64_t count_include_pad,
                           const Integers& pads) {
  ModelBuilder model(19);
  model.input("x", {1, 1, 1, 6}).output("y");
  model.node(op, {"x"}, {"y"})
      .set("kernel_shape", Integers{1, 3})
      .set("strides", Integers{1, 2})
      .set("pads", pads)
      .set("ceil_mode", ceil_mode)
      .set("count_include_pad", count_include_pad);
  return run(model, {ramp({1, 1, 1, 6}, 1, 1)})[0].data;
}

TEST(ImportWindow, CeilModeAndCountedPads) {
  const Integers none = {0, 0, 0, 0};
  EXPECT_THAT(pooled("MaxPool", 0, 0, none), ElementsAre(3, 5));
  EXPECT_THAT(pooled("MaxPool", 1, 0, none), ElementsAre(3, 5, 6));
  EXPECT_THAT(pooled("MaxPool", 0, 0, {0, 0, 0, 2}), ElementsAre(3, 5, 6)) << "floor mode, padded at the end only";
  EXPECT_THAT(pooled("AveragePool", 0, 0, {0, 0, 0, 1}), ElementsAre(2, 4, 5.5));
  EXPECT_THAT(pooled("AveragePool", 0, 1, {0, 0, 0, 1}), ElementsAre(2, 4, 11.0 / 3));
  EXPECT_THAT(pooled("AveragePool", 1, 1, none), ElementsAre(2, 4, 5.5)) << "cells of ceil_mode never count";
}

TEST(ImportWindow, PadBecomesAnInputInOpset11) {
  for (const std::int64_t opset : {10, 11, 18}) {
    ModelBuilder model(opset);
    model.input("x", {1, 1, 2, 2}).output("y");
    if (opset < 11) {
      model.node("Pad", {"x"}, {"y"}).set("pads", Integers{0, 0, 0, 1, 0, 0, 0, 0}).set("value", 9.0F);
    } else {
      model.integers("pads", {0, 0, 0, 1, 0, 0, 0, 0}).constant("value", {}, {9});
      model.node("Pad", {"x", "pads", "value"}, {"y"});
    }
    EXPECT_THAT(run(model, {ramp({1, 1, 2, 2}, 1, 1)})[0].data, ElementsAre(9, 1, 2, 9, 3, 4)) << opset;
  }
}

TEST(ImportWindow, PadTakesAxesAndNegativeAmounts) {
  ModelBuilder model(18);
  model.input("x", {1, 1, 2, 3}).output("y").integers("pads", {1, -1}).integers("axes", {-1});
  model.node("Pad", {"x", "pads", "", "axes"}, {"y"});
  EXPECT_THAT(run(model, {ramp({1, 1, 2, 3}, 1, 1)})[0].data, ElementsAre(0, 1, 2, 0, 4, 5));
}

}  // namespace
}  // namespace deeper::import_tests
