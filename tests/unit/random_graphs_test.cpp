// The passes on random graphs of what they rewrite: views, elementwise arithmetic, windows, joins.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "ir/print.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"

namespace deeper {
namespace {

using ir::ValueId;

// Grows a graph node by node; every op is picked so that it fits some value that is there. No node is unreachable.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint32_t seed) : random_(seed) {
    graph.name = "random";
    values_.push_back(graph.add_input("x", {ir::DataType::f32, {1, pick(1, 3), pick(1, 4), pick(1, 4)}}));
    values_.push_back(graph.add_input("z", {ir::DataType::f32, {1, pick(1, 4), pick(1, 4), pick(1, 3)}}));
    const std::int64_t nodes = pick(4, 24);
    for (std::int64_t i = 0; i < nodes; ++i) values_.push_back(grow());
    const std::int64_t outputs = pick(1, 2);
    for (std::int64_t i = 0; i < outputs; ++i) graph.add_output("y" + std::to_string(i), some_value());
    graph.add_output("last", values_.back());
    graph.prune();
  }

  ir::Graph graph;

 private:
  std::int64_t pick(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
  }
  bool flip() { return pick(0, 1) == 1; }
  // Late values are picked more often, so that chains grow long.
  ValueId some_value() {
    const auto count = static_cast<std::int64_t>(values_.size());
    return values_[static_cast<std::size_t>(std::max(pick(0, count - 1), pick(0, count - 1)))];
  }
  std::string name(std::string_view op) { return std::string(op) + std::to_string(graph.order().size()); }
  ValueId add(ir::Op op, std::vector<ValueId> operands) {
    const std::string wish = name(ir::op_name(op));
    return graph.add_node(std::move(op), std::move(operands), wish, {wish});
  }
  ValueId constant(const ir::Shape& shape) {
    std::vector<float> data(static_cast<std::size_t>(ir::element_count(shape)));
    const float uniform = static_cast<float>(pick(0, 1));
    const bool mixed = pick(0, 3) > 0;
    for (float& x : data) x = mixed ? static_cast<float>(pick(-8, 8)) / 4 : uniform;
    return graph.add_constant("c", ir::Tensor::f32(shape, std::move(data)));
  }

  ValueId unary(ValueId x) {
    const std::array activations{ir::Activation{ir::Function::relu}, ir::Activation{ir::Function::identity},
                                 ir::Activation{ir::Function::clip, 0, 1}, ir::Activation{ir::Function::tanh},
                                 ir::Activation{ir::Function::leaky_relu, 0.25F}};
    return add(ir::Unary{activations[static_cast<std::size_t>(pick(0, 4))]}, {x});
  }
  ValueId with_constant(ValueId x) {
    ir::Shape shape = graph.shape(x);
    for (std::int64_t& extent : shape) extent = flip() ? 1 : extent;
    shape.erase(shape.begin(), shape.begin() + pick(0, static_cast<std::int64_t>(shape.size())));
    const std::array functions{ir::BinaryFunction::add, ir::BinaryFunction::sub, ir::BinaryFunction::mul,
                               ir::BinaryFunction::max};
    std::vector<ValueId> operands{x, constant(shape)};
    if (flip()) std::ranges::reverse(operands);
    return add(ir::Binary{functions[static_cast<std::size_t>(pick(0, 3))]}, operands);
  }
  ValueId join(ValueId x) {
    std::vector<ValueId> operands{x};
    for (const ValueId other : values_) {
      if (graph.shape(other) == graph.shape(x) && operands.size() < 3 && flip()) operands.push_back(other);
    }
    if (operands.size() == 2 && flip()) return add(ir::Binary{ir::BinaryFunction::add}, operands);
    const auto rank = static_cast<std::int64_t>(graph.shape(x).size());
    return rank == 0 ? unary(x) : add(ir::Concat{pick(0, rank - 1)}, operands);
  }
  ValueId transpose(ValueId x) {
    std::vector<std::int64_t> perm(graph.shape(x).size());
    std::iota(perm.begin(), perm.end(), 0);
    if (perm.size() == 4 && pick(0, 3) > 0) {
      perm = flip() ? std::vector<std::int64_t>{0, 2, 3, 1} : std::vector<std::int64_t>{0, 3, 1, 2};
    } else {
      std::ranges::shuffle(perm, random_);
    }
    return add(ir::Transpose{perm}, {x});
  }
  ValueId reshape(ValueId x) {
    ir::Shape shape = graph.shape(x);
    if (flip()) std::ranges::shuffle(shape, random_);
    if (pick(0, 7) == 0 && shape.size() > 2) shape = {shape[0], ir::element_count(shape) / shape[0]};
    return add(ir::Reshape{shape}, {x});
  }
  ValueId pad(ValueId x) {
    ir::Pad op{.mode = ir::PadMode::constant, .begins = {}, .ends = {}, .value = pick(0, 4) == 0 ? 1.0F : 0.0F};
    const std::size_t rank = graph.shape(x).size();
    for (std::size_t axis = 0; axis < rank; ++axis) {
      op.begins.push_back(axis >= 2 ? pick(0, 1) : 0);
      op.ends.push_back(axis >= 1 && pick(0, 3) == 0 ? 1 : 0);
    }
    return add(std::move(op), {x});
  }
  ValueId slice(ValueId x) {
    ir::Slice op;
    for (const std::int64_t extent : graph.shape(x)) {
      const std::int64_t start = pick(0, 3) == 0 ? pick(0, extent - 1) : 0;
      op.starts.push_back(start);
      op.steps.push_back(1);
      op.shape.push_back(extent - start);
    }
    return add(std::move(op), {x});
  }
  ValueId reduce(ValueId x) {
    ir::Reduce op{.kind = flip() ? ir::ReduceKind::mean : ir::ReduceKind::max, .axes = {}, .keepdims = flip()};
    for (std::size_t axis = 0; axis < graph.shape(x).size(); ++axis) {
      if (pick(0, 2) == 0) op.axes.push_back(static_cast<std::int64_t>(axis));
    }
    return add(std::move(op), {x});
  }
  ValueId window(ValueId x) {
    const ir::Shape shape = graph.shape(x);
    if (shape.size() != 4) return unary(x);
    const std::int64_t k = std::min<std::int64_t>({shape[2], shape[3], pick(1, 3)});
    const std::int64_t p = pick(0, k - 1);
    const ir::Pads pads{p, pick(0, p), p, 0};
    if (flip()) {
      ir::Pool op{.kind = flip() ? ir::PoolKind::max : ir::PoolKind::average, .kernel = {k, k}, .pads = pads};
      op.strides = {pick(1, 2), 1};
      op.ceil_mode = flip();
      op.count_include_pad = flip();
      if (flip()) op.activation.function = ir::Function::relu;
      std::vector<ValueId> pooled{x};
      if (flip()) pooled.push_back(constant({shape[1]}));
      return add(op, pooled);
    }
    const std::int64_t channels = pick(1, 3);
    std::vector<ValueId> operands{x, constant({channels, shape[1], k, k})};
    if (flip()) operands.push_back(constant({channels}));
    return add(ir::Conv{.strides = {1, pick(1, 2)}, .pads = pads}, operands);
  }

  ValueId grow() {
    const ValueId x = some_value();
    if (graph.shape(x).size() < 2) return unary(x);
    switch (pick(0, 11)) {
      case 0:
        return unary(x);
      case 1:
        return join(x);
      case 2:
      case 3:
        return with_constant(x);
      case 4:
      case 5:
      case 6:
        return transpose(x);
      case 7:
        return reshape(x);
      case 8:
        return pad(x);
      case 9:
        return slice(x);
      case 10:
        return pick(0, 3) == 0 ? reduce(x) : unary(x);
      default:
        return window(x);
    }
  }

  std::mt19937 random_;
  std::vector<ValueId> values_;
};

class RandomGraphs : public testing::TestWithParam<std::uint32_t> {};

TEST_P(RandomGraphs, KeepTheirAnswer) {
  for (std::uint32_t seed = GetParam(); seed < GetParam() + 500; ++seed) {
    const RandomGraph random(seed);
    for (const passes::PassInfo& pass : passes::all_passes()) {
      ir::Graph graph = random.graph;
      const std::string before = ir::print(graph);
      const bool changed = passes::run_passes(graph, {std::string(pass.name)}).front().changed;
      const std::string after = ir::print(graph);
      ASSERT_EQ(changed, before != after) << pass.name << " on seed " << seed << "\n" << before << after;
      test::expect_agreement(graph, random.graph, 1e-5);
      ASSERT_FALSE(HasFailure()) << pass.name << " on seed " << seed << "\n" << before << after;
      ASSERT_FALSE(pass.run(graph)) << pass.name << " again on seed " << seed << "\n" << after << ir::print(graph);
    }
  }
}

TEST_P(RandomGraphs, KeepTheirAnswerThroughThePipeline) {
  for (std::uint32_t seed = GetParam(); seed < GetParam() + 500; ++seed) {
    const RandomGraph random(seed);
    ir::Graph graph = random.graph;
    passes::run_passes(graph, passes::default_pipeline());
    test::expect_agreement(graph, random.graph, 1e-5);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << "\n" << ir::print(random.graph) << ir::print(graph);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, testing::Values(0U, 100000U, 200000U));

}  // namespace
}  // namespace deeper
