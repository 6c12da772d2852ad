// Quantized operators against arithmetic written out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/unit/import_support.h"

namespace deeper::import_tests {
namespace {

using onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;

double quantized(double real, double scale, double zero_point) {
  return std::clamp(std::nearbyint(real / scale) + zero_point, 0.0, 255.0);
}

// Scale NAME_s and zero point NAME_z.
void add_quantization(ModelBuilder& model, const std::string& name, float scale, std::int64_t zero_point) {
  model.constant(name + "_s", {}, {scale});
  model.tensor(name + "_z", integer_tensor({}, {zero_point}, TensorProto::UINT8));
}

Names operand(const std::string& name) { return {name, name + "_s", name + "_z"}; }

Names join(const std::vector<Names>& parts) {
  Names all;
  for (const Names& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(ImportQuantized, RoundsHalfToEvenAndSaturates) {
  ModelBuilder model(13);
  model.input("x", {6}).output("y").constant("s", {}, {2});
  model.tensor("z", integer_tensor({}, {0}, TensorProto::INT8));
  model.node("QuantizeLinear", {"x", "s", "z"}, {"y"});
  EXPECT_THAT(run(model, {{{6}, {1, 3, 5, -1, 1000, -1000}}})[0].data, ElementsAre(0, 2, 2, 0, 127, -128));
}

TEST(ImportQuantized, ScalesAlongAnAxis) {
  ModelBuilder model(13);
  model.input("x", {1, 2, 1, 2}, TensorProto::UINT8).output("y").constant("s", {2}, {2, 10});
  model.tensor("z", integer_tensor({2}, {1, 3}, TensorProto::UINT8));
  model.node("DequantizeLinear", {"x", "s", "z"}, {"y"}).set("axis", 1);
  EXPECT_THAT(run(model, {{{1, 2, 1, 2}, {0, 1, 3, 5}}})[0].data, ElementsAre(-2, 0, 0, 20));
}

TEST(ImportQuantized, AReluMayHideInTheZeroPoint) {
  ModelBuilder model(13);
  model.input("x", {3}).output("y");
  add_quantization(model, "q", 0.5F, 0);
  model.node("QuantizeLinear", {"x", "q_s", "q_z"}, {"q"});
  model.node("DequantizeLinear", {"q", "q_s", "q_z"}, {"y"});
  EXPECT_THAT(run(model, {{{3}, {-3, 1.2, 4}}})[0].data, ElementsAre(0, 1, 4));
}

TEST(ImportQuantized, SixteenBitResultsAreRefused) {
  ModelBuilder model(21);
  model.input("x", {2}).output("y").constant("s", {}, {2});
  model.tensor("z", integer_tensor({}, {0}, TensorProto::INT16));
  model.node("QuantizeLinear", {"x", "s", "z"}, {"y"});
  EXPECT_THAT(import_error(model), HasSubstr("only 8-bit results are supported"));
}

TEST(ImportQuantized, ConvolutionWithScalesPerChannel) {
  ModelBuilder model(13);
  model.input("x", {1, 1, 2, 2}, TensorProto::UINT8).output("y");
  add_quantization(model, "x", 0.5F, 3);
  add_quantization(model, "y", 2.0F, 7);
  model.tensor("w", integer_tensor({2, 1, 1, 1}, {5, -4}, TensorProto::INT8));
  model.constant("w_s", {2}, {0.25F, 1}).tensor("w_z", integer_tensor({2}, {0, 0}, TensorProto::INT8));
  model.tensor("bias", integer_tensor({2}, {10, 20}, TensorProto::INT32));
  model.node("QLinearConv", join({operand("x"), operand("w"), {"y_s", "y_z", "bias"}}), {"y"});
  const std::vector<double> x = {0, 3, 9, 200};
  const std::vector<double> y = run(model, {{{1, 1, 2, 2}, x}})[0].data;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(y[i], quantized(((x[i] - 3) * 5 + 10) * 0.5 * 0.25, 2, 7));
    EXPECT_EQ(y[4 + i], quantized(((x[i] - 3) * -4 + 20) * 0.5 * 1, 2, 7));
  }
}

TEST(ImportQuantized, PaddingIsRealZero) {
  ModelBuilder model(13);
  model.input("x", {1, 1, 1, 1}, TensorProto::UINT8).output("y");
  for (const char* name : {"x", "w", "y"}) add_quantization(model, name, 1.0F, 128);
  model.tensor("w", integer_tensor({1, 1, 1, 3}, {138, 129, 148}, TensorProto::UINT8));
  model.node("QLinearConv", join({operand("x"), operand("w"), {"y_s", "y_z"}}), {"y"})
      .set("pads", Integers{0, 1, 0, 1});
  EXPECT_THAT(run(model, {{{1, 1, 1, 1}, {133}}})[0].data, ElementsAre(133));
}

class Microsoft : public testing::Test {
 protected:
  Microsoft() {
    model_.opset("com.microsoft", 1);
    add_quantization(model_, "a", 0.5F, 2);
    add_quantization(model_, "b", 0.25F, 4);
    add_quantization(model_, "y", 1.5F, 6);
    model_.output("y");
  }

  static double real_a(double stored) { return (stored - 2) * 0.5; }
  static double real_b(double stored) { return (stored - 4) * 0.25; }

  ModelBuilder model_{13};
};

TEST_F(Microsoft, Add) {
  model_.input("a", {2}, TensorProto::UINT8).input("b", {2}, TensorProto::UINT8);
  model_.node("QLinearAdd", join({operand("a"), operand("b"), {"y_s", "y_z"}}), {"y"}).domain("com.microsoft");
  EXPECT_THAT(run(model_, {{{2}, {20, 255}}, {{2}, {9, 200}}})[0].data,
              ElementsAre(quantized(real_a(20) + real_b(9), 1.5, 6), quantized(real_a(255) + real_b(200), 1.5, 6)));
}

TEST_F(Microsoft, Concat) {
  model_.input("a", {1, 1}, TensorProto::UINT8).input("b", {1, 1}, TensorProto::UINT8);
  model_.node("QLinearConcat", join({{"y_s", "y_z"}, operand("a"), operand("b")}), {"y"})
      .domain("com.microsoft")
      .set("axis", 1);
  EXPECT_THAT(run(model_, {{{1, 1}, {20}}, {{1, 1}, {90}}})[0].data,
              ElementsAre(quantized(real_a(20), 1.5, 6), quantized(real_b(90), 1.5, 6)));
}

TEST_F(Microsoft, AveragePools) {
  model_.input("a", {1, 1, 1, 4}, TensorProto::UINT8).output("g");
  model_.node("QLinearAveragePool", join({operand("a"), {"y_s", "y_z"}}), {"y"})
      .domain("com.microsoft")
      .set("kernel_shape", Integers{1, 2})
      .set("strides", Integers{1, 2});
  model_.node("QLinearGlobalAveragePool", join({operand("a"), {"y_s", "y_z"}}), {"g"}).domain("com.microsoft");
  const std::vector<ir::Array> y = run(model_, {{{1, 1, 1, 4}, {10, 20, 30, 41}}});
  EXPECT_THAT(y[0].data, ElementsAre(quantized((real_a(10) + real_a(20)) / 2, 1.5, 6),
                                     quantized((real_a(30) + real_a(41)) / 2, 1.5, 6)));
  EXPECT_THAT(y[1].data, ElementsAre(quantized((real_a(10) + real_a(20) + real_a(30) + real_a(41)) / 4, 1.5, 6)));
}

TEST_F(Microsoft, Gemm) {
  model_.input("a", {1, 2}, TensorProto::UINT8);
  model_.tensor("b", integer_tensor({2, 2}, {5, 8, 9, 1}, TensorProto::UINT8));
  model_.tensor("c", integer_tensor({2}, {3, -3}, TensorProto::INT32));
  model_.node("QGemm", join({operand("a"), operand("b"), {"c", "y_s", "y_z"}}), {"y"})
      .domain("com.microsoft")
      .set("transB", 1);
  const double first = ((10 - 2) * (5 - 4) + (20 - 2) * (8 - 4) + 3) * 0.5 * 0.25;
  const double second = ((10 - 2) * (9 - 4) + (20 - 2) * (1 - 4) - 3) * 0.5 * 0.25;
  EXPECT_THAT(run(model_, {{{1, 2}, {10, 20}}})[0].data,
              ElementsAre(quantized(first, 1.5, 6), quantized(second, 1.5, 6)));
}

TEST_F(Microsoft, SoftmaxOfQuantizedValues) {
  model_.input("a", {1, 2}, TensorProto::UINT8);
  add_quantization(model_, "p", 1.0F / 256, 0);
  model_.output("p");
  model_.graph().mutable_output()->DeleteSubrange(0, 1);
  model_.node("QLinearSoftmax", join({operand("a"), {"p_s", "p_z"}}), {"p"})
      .domain("com.microsoft")
      .set("axis", -1)
      .set("opset", 13);
  const double p = 1 / (1 + std::exp(-1.5));
  EXPECT_THAT(run(model_, {{{1, 2}, {10, 13}}})[0].data,
              ElementsAre(quantized(1 - p, 1.0 / 256, 0), quantized(p, 1.0 / 256, 0)));
}

TEST(ImportQuantized, DynamicQuantizationFeedsIntegerConvolution) {
  ModelBuilder model(13);
  model.input("x", {1, 1, 1, 3}).output("y").constant("w_s", {}, {0.5F});
  model.tensor("w", integer_tensor({1, 1, 1, 1}, {3}, TensorProto::UINT8));
  model.tensor("w_z", integer_tensor({}, {1}, TensorProto::UINT8));
  model.node("DynamicQuantizeLinear", {"x"}, {"q", "q_s", "q_z"});
  model.node("ConvInteger", {"q", "w", "q_z", "w_z"}, {"sums"});
  model.node("Cast", {"sums"}, {"real"}).set("to", TensorProto::FLOAT);
  model.node("Mul", {"q_s", "w_s"}, {"scale"});
  model.node("Mul", {"real", "scale"}, {"y"});
  const std::vector<double> y = run(model, {{{1, 1, 1, 3}, {-1, 0, 4}}})[0].data;
  EXPECT_NEAR(y[0], -1, 0.01);
  EXPECT_EQ(y[1], 0);
  EXPECT_NEAR(y[2], 4, 0.01);
}

}  // namespace
}  // namespace deeper::import_tests
