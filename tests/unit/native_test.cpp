// Every native kernel against the oracle, on random shapes and layouts: dense, permuted, and slices of wider buffers.
#include "backend/kernels/native.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/print.h"

namespace deeper::backend {
namespace {

constexpr float kUntouched = -12345.0F;

enum class Order : std::uint8_t { row_major, channels_last, random };

struct Placement {
  Order order = Order::row_major;
  bool slice = false;  // of a wider buffer
};

class NativeTest : public testing::TestWithParam<int> {
 protected:
  // Seeds take turns on all that this CPU offers, on AVX2 and on SSE4.
  void SetUp() override {
    const std::int64_t disabled[] = {0, HWY_AVX2 - 1, HWY_SSE4 - 1};
    hwy::DisableTargets(disabled[GetParam() % 3]);
  }
  void TearDown() override { hwy::DisableTargets(0); }

  std::mt19937 random{static_cast<unsigned>(GetParam())};

  std::int64_t number(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random);
  }
  bool coin() { return number(0, 1) == 1; }
  ir::Shape shape(std::size_t rank, std::int64_t most) {
    ir::Shape result(rank);
    for (std::int64_t& extent : result) extent = number(1, most);
    return result;
  }
  Placement placement() { return {static_cast<Order>(number(0, 2)), coin()}; }

  ir::Array values(const ir::Shape& shape, double least, double most) {
    ir::Array array{shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(shape)))};
    std::uniform_real_distribution<float> uniform(static_cast<float>(least), static_cast<float>(most));
    for (double& x : array.data) x = uniform(random);
    return array;
  }
  ir::Array integers(const ir::Shape& shape, std::int64_t least, std::int64_t most) {
    ir::Array array{shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(shape)))};
    for (double& x : array.data) x = static_cast<double>(number(least, most));
    return array;
  }

  runtime::Operand place(const ir::Shape& shape, Placement where) {
    std::vector<std::size_t> axes(shape.size());  // innermost last
    std::iota(axes.begin(), axes.end(), std::size_t{0});
    if (where.order == Order::channels_last && axes.size() > 2)
      std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
    if (where.order == Order::random) std::ranges::shuffle(axes, random);
    runtime::Operand operand;
    operand.space = runtime::Space::arena;
    operand.shape = shape;
    operand.strides.resize(shape.size());
    std::int64_t stride = 1;
    for (std::size_t i = axes.size(); i-- > 0;) {
      operand.strides[axes[i]] = stride;
      stride *= shape[axes[i]] + (where.slice ? number(0, 5) : 0);
    }
    operand.bytes = 4 * static_cast<std::uint64_t>(std::max<std::int64_t>(stride, 1));
    return operand;
  }

  // Runs the kernel as a team of three and holds it against the oracle.
  void check(std::string_view kernel, const ir::Op& op, const std::vector<ir::Array>& inputs, double tolerance,
             std::vector<ir::DataType> dtypes = {}, ir::DataType tuning = ir::DataType::f32) {
    dtypes.resize(inputs.size(), ir::DataType::f32);
    ir::Graph graph;
    std::vector<ir::ValueId> ids;
    for (std::size_t i = 0; i < inputs.size(); ++i) ids.push_back(graph.add_input("", {dtypes[i], inputs[i].shape}));
    const ir::ValueId result = graph.add_node(op, ids, "result");
    graph.add_output("result", result);
    runtime::Step step;
    step.op = op;
    step.tuning = {static_cast<std::int64_t>(tuning)};
    for (const ir::Array& input : inputs) step.operands.push_back(place(input.shape, placement()));
    step.result = place(graph.shape(result), placement());
    compare(ir::evaluate(graph, inputs)[0], run(kernel, step, inputs), step, tolerance);
  }

  std::vector<float> run(std::string_view kernel, const runtime::Step& step, const std::vector<ir::Array>& inputs) {
    const auto row = std::ranges::find(native_kernels(), kernel, &runtime::KernelRow::name);
    const runtime::Executable executable = row->prepare(step, 3);
    EXPECT_TRUE(executable.is_team_kernel);
    std::vector<std::vector<float>> buffers;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      buffers.emplace_back(step.operands[i].bytes / 4, std::nanf(""));
      for (std::size_t k = 0; k < inputs[i].data.size(); ++k) {
        buffers[i][offset(step.operands[i], k)] = static_cast<float>(inputs[i].data[k]);
      }
    }
    buffers.emplace_back(step.result.bytes / 4, kUntouched);
    std::vector<std::byte*> addresses;
    for (std::vector<float>& buffer : buffers) addresses.push_back(reinterpret_cast<std::byte*>(buffer.data()));
    addresses.push_back(nullptr);
    for (int thread = 0; thread < 3; ++thread) executable.run(executable.state.get(), addresses.data(), {thread, 3});
    return buffers.back();
  }

  static std::size_t offset(const runtime::Operand& operand, std::size_t element) {
    auto rest = static_cast<std::int64_t>(element);
    std::int64_t result = 0;
    for (std::size_t i = operand.shape.size(); i-- > 0;) {
      result += rest % operand.shape[i] * operand.strides[i];
      rest /= operand.shape[i];
    }
    return static_cast<std::size_t>(result);
  }

  static void compare(const ir::Array& expected, std::vector<float> found, const runtime::Step& step,
                      double tolerance) {
    for (std::size_t k = 0; k < expected.data.size(); ++k) {
      float& x = found[offset(step.result, k)];
      const double error = std::abs(static_cast<double>(x) - expected.data[k]);
      ASSERT_TRUE(error <= tolerance * std::max(1.0, std::abs(expected.data[k])))
          << ir::print_op(step.op) << ", element " << k << ": " << x << " for " << expected.data[k];
      x = kUntouched;
    }
    EXPECT_EQ(std::ranges::count(found, kUntouched), static_cast<std::ptrdiff_t>(found.size()))
        << ir::print_op(step.op) << " wrote outside its result";
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, NativeTest, testing::Range(0, 12));

TEST_P(NativeTest, Identity) {
  check("native.copy", ir::Identity{}, {values(shape(static_cast<std::size_t>(number(0, 6)), 9), -1, 1)}, 0);
  check("native.copy", ir::Identity{}, {values({1, number(1, 200), number(1, 40), number(1, 40)}, -1, 1)}, 0);
}

TEST_P(NativeTest, Transpose) {
  const ir::Shape in = shape(static_cast<std::size_t>(number(1, 6)), 8);
  ir::Transpose op;
  op.perm.resize(in.size());
  std::iota(op.perm.begin(), op.perm.end(), 0);
  std::ranges::shuffle(op.perm, random);
  check("native.copy", op, {values(in, -1, 1)}, 0);
  check("native.copy", ir::Transpose{.perm = {1, 0}}, {values({number(60, 140), number(60, 140)}, -1, 1)}, 0);
  check("native.copy", ir::Transpose{.perm = {0, 2, 3, 1}}, {values({1, 3, number(1, 9), number(1, 140)}, -1, 1)}, 0);
}

TEST_P(NativeTest, Slice) {
  const ir::Shape in = shape(static_cast<std::size_t>(number(1, 5)), 12);
  ir::Slice op;
  for (const std::int64_t extent : in) {
    const std::int64_t count = number(1, extent);
    const std::int64_t stride =
        number(1, std::max<std::int64_t>(1, (extent - 1) / std::max<std::int64_t>(1, count - 1)));
    const std::int64_t step = count == 1 ? 1 : stride;
    const std::int64_t start = number(0, extent - 1 - (count - 1) * step);
    const bool backwards = coin();
    op.starts.push_back(backwards ? start + (count - 1) * step : start);
    op.steps.push_back(backwards ? -step : step);
    op.shape.push_back(count);
  }
  check("native.copy", op, {values(in, -1, 1)}, 0);
}

TEST_P(NativeTest, Reshape) {
  check("native.copy", ir::Reshape{.shape = {2, 60}}, {values({1, 4, 5, 6}, -1, 1)}, 0);
  check("native.copy", ir::Reshape{.shape = {4, 3, 10}}, {values({1, 4, 5, 6}, -1, 1)}, 0);
  check("native.copy", ir::Reshape{.shape = {3, 2}}, {values({2, 3}, -1, 1)}, 0);
  check("native.copy", ir::Reshape{.shape = {1, 1, 6, 1}}, {values({2, 1, 3}, -1, 1)}, 0);
  check("native.copy", ir::Reshape{.shape = {}}, {values({1, 1}, -1, 1)}, 0);
  const std::int64_t n = number(1, 30);
  check("native.copy", ir::Reshape{.shape = {1, 7 * n * n}}, {values({1, 7, n, n}, -1, 1)}, 0);
}

TEST_P(NativeTest, ExpandAndConcat) {
  check("native.copy", ir::Expand{.shape = {2, 3, 4, 5}}, {values({3, 1, 5}, -1, 1)}, 0);
  check("native.copy", ir::Expand{.shape = {7}}, {values({}, -1, 1)}, 0);
  const std::int64_t h = number(1, 9);
  check("native.copy", ir::Concat{.axis = 1},
        {values({1, 24, h, 5}, -1, 1), values({1, 7, h, 5}, -1, 1), values({1, 1, h, 5}, -1, 1)}, 0);
  check("native.copy", ir::Concat{.axis = 0}, {values({2, h}, -1, 1), values({1, h}, -1, 1)}, 0);
}

TEST_P(NativeTest, Pool) {
  for (int i = 0; i < 4; ++i) {
    const bool are_neighbours = i / 2 == 0;  // windows of three columns that share two with the next one
    ir::Pool op;
    op.kind = i % 2 == 0 ? ir::PoolKind::max : ir::PoolKind::average;
    op.kernel = {number(1, 4), are_neighbours ? 3 : number(1, 4)};
    op.strides = {number(1, 3), are_neighbours ? 1 : number(1, 3)};
    op.dilations = {number(1, 2), number(1, 2)};
    for (std::size_t k = 0; k < 4; ++k) op.pads[k] = number(0, op.kernel[k % 2] - 1);
    op.ceil_mode = coin();
    op.count_include_pad = coin();
    constexpr std::array kActivations{ir::Activation{}, ir::Activation{ir::Function::relu},
                                      ir::Activation{ir::Function::leaky_relu, 0.1F},
                                      ir::Activation{ir::Function::clip, -0.2F, 0.3F}};
    op.activation = kActivations[static_cast<std::size_t>(number(0, 3))];
    const std::int64_t channels = number(1, 100);
    std::vector<ir::Array> inputs{values({number(1, 2), channels, number(8, 20), number(8, 20)}, -1, 1)};
    if (coin()) inputs.push_back(values({channels}, -1, 1));
    check("native.pool", op, inputs, 1e-6);
  }
  check("native.pool", ir::Pool{.kernel = {3, 3}, .strides = {2, 2}, .pads = {0, 0, 1, 1}},
        {values({1, 64, 14, 14}, -9, -1)}, 0);
}

TEST_P(NativeTest, Reduce) {
  for (int kind = 0; kind < 5; ++kind) {
    const ir::Shape in = shape(static_cast<std::size_t>(number(1, 5)), 7);
    ir::Reduce op{.kind = static_cast<ir::ReduceKind>(kind), .axes = {}, .keepdims = coin()};
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (coin()) op.axes.push_back(static_cast<std::int64_t>(i));
    }
    check("native.reduce", op, {values(in, 0.5, 1.5)}, 1e-5);
  }
  check("native.reduce", ir::Reduce{.axes = {2, 3}}, {values({1, number(1, 300), 8, 8}, -1, 1)}, 1e-6);
  check("native.reduce", ir::Reduce{.kind = ir::ReduceKind::max, .axes = {2, 3}}, {values({1, 70, 7, 5}, -2, -1)}, 0);
}

TEST_P(NativeTest, Lrn) {
  for (const float beta : {0.75F, 0.5F, 1.0F, 0.6F}) {
    const ir::Lrn op{.size = number(1, 9), .alpha = 0.3F, .beta = beta, .bias = 1.5F};
    check("native.lrn", op, {values({1, number(1, 90), number(1, 6), number(1, 6)}, -3, 3)}, 2e-6);
  }
  check("native.lrn", ir::Lrn{.size = 5}, {values({1, 64, 9, 9}, -100, 100)}, 2e-6);
  check("native.lrn", ir::Lrn{.size = 41, .alpha = 1}, {values({2, 50, 3}, -1, 1)}, 2e-6);
}

TEST_P(NativeTest, Softmax) {
  for (const bool log : {false, true}) {
    check("native.softmax", ir::Softmax{.axis = 1, .log = log}, {values({number(1, 3), number(1, 1100)}, -9, 9)}, 2e-6);
    const ir::Shape in = shape(static_cast<std::size_t>(number(1, 4)), 20);
    const ir::Softmax op{.axis = number(0, static_cast<std::int64_t>(in.size()) - 1), .log = log};
    check("native.softmax", op, {values(in, -200, 200)}, 2e-6);
  }
}

TEST_P(NativeTest, Unary) {
  const auto unary = [&](ir::Function function, double least, double most, double tolerance) {
    const ir::Unary op{{.function = function, .alpha = 0.25F, .beta = 0.75F}};
    check("native.unary", op, {values(shape(static_cast<std::size_t>(number(0, 4)), 12), least, most)}, tolerance);
  };
  using F = ir::Function;
  for (const F f : {F::identity, F::relu, F::abs, F::neg, F::floor, F::ceil, F::round, F::sign, F::clip}) {
    unary(f, -5, 5, 0);
  }
  for (const F f : {F::leaky_relu, F::hard_sigmoid, F::tanh, F::sigmoid, F::exp}) unary(f, -5, 5, 1e-6);
  for (const F f : {F::tanh, F::sigmoid}) unary(f, -300, 300, 1e-6);
  for (const F f : {F::sqrt, F::log, F::reciprocal}) unary(f, 0.01, 50, 1e-6);
}

TEST_P(NativeTest, LogicalNotAndCast) {
  check("native.unary", ir::Unary{{.function = ir::Function::logical_not}}, {integers({5, 7}, 0, 1)}, 0,
        {ir::DataType::boolean});
  for (int to = 0; to < 6; ++to) {
    check("native.unary", ir::Cast{.to = static_cast<ir::DataType>(to)}, {values({3, 50}, -400, 400)}, 0);
  }
}

TEST_P(NativeTest, Binary) {
  using F = ir::BinaryFunction;
  for (const F f : {F::add, F::sub, F::mul, F::div, F::max, F::min, F::prelu, F::mod}) {
    const ir::Binary op{.function = f};
    check("native.binary", op, {values({1, 37, 5, 6}, -4, 4), values({1, 37, 5, 6}, 1, 4)}, 2e-6);
    check("native.binary", op, {values({1, 37, 5, 6}, -4, 4), values({37, 1, 1}, 1, 4)}, 2e-6);
    check("native.binary", op, {values({2, 37, 5, 6}, -4, 4), values({}, 1, 4)}, 2e-6);
    check("native.binary", op, {values({2, 3, 5, 40}, -4, 4), values({3, 1, 40}, 1, 4)}, 2e-6);
  }
  check("native.binary", ir::Binary{.function = F::sub}, {values({4, 1}, -4, 4), values({3, 1, 7}, 1, 4)}, 1e-6);
  for (const double exponent : {2.0, 0.5, 3.0}) {
    check("native.binary", ir::Binary{.function = F::pow}, {values({40}, 0.1, 4), values({}, exponent, exponent)},
          2e-6);
  }
  for (int f = static_cast<int>(F::equal); f <= static_cast<int>(F::logical_or); ++f) {
    const ir::Binary op{.function = static_cast<F>(f)};
    const ir::DataType dtype = op.function >= F::logical_and ? ir::DataType::boolean : ir::DataType::f32;
    const std::int64_t most = dtype == ir::DataType::boolean ? 1 : 3;
    check("native.binary", op, {integers({6, 9}, 0, most), integers({9}, 0, most)}, 0, {dtype, dtype}, dtype);
  }
}

TEST_P(NativeTest, IntegerBinary) {
  using F = ir::BinaryFunction;
  for (const ir::DataType dtype : {ir::DataType::i64, ir::DataType::u8, ir::DataType::i8}) {
    for (const F f : {F::add, F::sub, F::mul, F::div, F::mod, F::max}) {
      check("native.binary", ir::Binary{.function = f}, {integers({6, 9}, -100, 100), integers({9}, 1, 30)}, 0,
            {dtype, dtype}, dtype);
    }
  }
}

TEST_P(NativeTest, Where) {
  check("native.where", ir::Where{}, {integers({4, 1, 9}, 0, 1), values({5, 1}, -1, 1), values({}, -1, 1)}, 0,
        {ir::DataType::boolean});
  check("native.where", ir::Where{}, {integers({300}, 0, 1), values({300}, -1, 1), values({300}, -1, 1)}, 0,
        {ir::DataType::boolean});
}

TEST_P(NativeTest, Pad) {
  for (int mode = 0; mode < 3; ++mode) {
    const ir::Shape in = shape(static_cast<std::size_t>(number(1, 4)), 9);
    ir::Pad op{.mode = static_cast<ir::PadMode>(mode), .begins = {}, .ends = {}, .value = -0.5F};
    for (const std::int64_t extent : in) {
      op.begins.push_back(number(0, extent - 1));
      op.ends.push_back(number(0, extent - 1));
    }
    if (in[0] > 2 && op.mode != ir::PadMode::reflect) op.begins[0] = -1;
    check("native.pad", op, {values(in, -1, 1)}, 0);
  }
  check("native.pad", ir::Pad{.begins = {0, 0, 1, 1}, .ends = {0, 0, 2, 2}}, {values({1, 33, 7, 7}, -1, 1)}, 0);
}

TEST_P(NativeTest, Resize) {
  for (int mode = 0; mode < 2; ++mode) {
    for (int coordinates = 0; coordinates < 5; ++coordinates) {
      ir::Resize op{.mode = static_cast<ir::ResizeMode>(mode),
                    .coordinates = static_cast<ir::Coordinates>(coordinates),
                    .rounding = static_cast<ir::NearestRounding>(number(0, 3)),
                    .scales = {1, 1},
                    .shape = {1, number(1, 20)}};
      const ir::Shape in = {1, op.shape[1], number(2, 8), number(2, 8)};
      for (std::size_t axis = 2; axis < 4; ++axis) {
        op.shape.push_back(number(1, 15));
        op.scales.push_back(static_cast<float>(op.shape[axis]) / static_cast<float>(in[axis]));
      }
      check("native.resize", op, {values(in, -1, 1)}, 1e-6);
    }
  }
}

TEST_P(NativeTest, Gather) {
  const ir::Shape in = shape(static_cast<std::size_t>(number(1, 4)), 9);
  const ir::Gather op{.axis = number(0, static_cast<std::int64_t>(in.size()) - 1)};
  const std::int64_t extent = in[static_cast<std::size_t>(op.axis)];
  const ir::Array indices = integers(shape(static_cast<std::size_t>(number(0, 2)), 5), -extent, extent - 1);
  check("native.gather", op, {values(in, -1, 1), indices}, 0, {ir::DataType::f32, ir::DataType::i64});
}

TEST(Native, RefusesShapesThatDoNotFitTheOp) {
  const auto refuses = [](std::string_view kernel, const ir::Op& op, const ir::Shape& in, const ir::Shape& out) {
    runtime::Step step;
    step.op = op;
    runtime::Operand operand;
    operand.space = runtime::Space::arena;
    operand.shape = in;
    operand.strides = ir::row_major_strides(in);
    operand.bytes = 4 * static_cast<std::uint64_t>(ir::element_count(in));
    step.operands = {operand};
    step.result = operand;
    step.result.shape = out;
    step.result.strides = ir::row_major_strides(out);
    step.result.bytes = 4 * static_cast<std::uint64_t>(ir::element_count(out));
    const auto row = std::ranges::find(native_kernels(), kernel, &runtime::KernelRow::name);
    EXPECT_THROW(row->prepare(step, 1), ModelError) << ir::print_op(op);
  };
  refuses("native.copy", ir::Identity{}, {4, 4}, {4, 5});
  refuses("native.copy", ir::Lrn{}, {4, 4}, {4, 4});
  refuses("native.copy", ir::Slice{.starts = {2}, .steps = {1}, .shape = {4}}, {4}, {4});
  refuses("native.copy", ir::Slice{.starts = {0}, .steps = {std::int64_t{1} << 62}, .shape = {5}}, {8}, {5});
  refuses("native.pool", ir::Pool{.kernel = {2, 2}}, {1, 3, 8, 8}, {1, 3, 8, 8});
  refuses("native.pool", ir::Pool{.activation = {ir::Function::tanh}}, {1, 3, 8, 8}, {1, 3, 8, 8});
  refuses("native.reduce", ir::Reduce{.axes = {5}}, {4, 4}, {4, 4});
  refuses("native.softmax", ir::Softmax{.axis = -1}, {4, 4}, {4, 4});
  refuses("native.resize", ir::Resize{.scales = {1}, .shape = {9}}, {0}, {9});
  refuses("native.gather", ir::Gather{}, {4}, {4});
}

}  // namespace
}  // namespace deeper::backend
