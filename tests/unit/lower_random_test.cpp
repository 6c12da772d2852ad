// Random graphs whose values are read many times, sliced, joined, reshaped and added up: a value overwritten too early
// or a view of the wrong elements shows as a wrong number.
#include <algorithm>

#include "passes/passes.h"
#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {}

  ir::Graph build() {
    graph_.name = "random";
    values_.push_back(graph_.add_input("x", {ir::DataType::f32, {1, 4, 6, 6}}));
    values_.push_back(graph_.add_input("y", {ir::DataType::f32, {1, 8, 6, 6}}));
    for (int k = 0; k < 14; ++k) grow();
    std::vector<ir::Output> outputs;
    const std::size_t count = 1 + pick(3);
    for (std::size_t k = 0; k < count; ++k) {
      outputs.push_back({"out" + std::to_string(k), values_[values_.size() - 1 - pick(values_.size() / 2)]});
    }
    graph_.set_outputs(std::move(outputs));
    graph_.prune();
    return std::move(graph_);
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }

  // A value, rather a late one.
  ir::ValueId any() { return values_[values_.size() - 1 - std::min(pick(values_.size()), pick(values_.size()))]; }

  ir::ValueId weights(ir::Shape shape) {
    return graph_.add_constant("", ir::Tensor::seeded(std::move(shape), graph_.value_capacity()));
  }

  void grow() {
    const ir::ValueId x = any();
    const ir::Shape shape = graph_.shape(x);
    const bool is_image = shape.size() == 4;
    switch (pick(9)) {
      case 0:
      case 1:
        if (is_image) return add_conv(x, shape);
        [[fallthrough]];
      case 2:
        return add(ir::Unary{.function = {.function = pick(2) == 0 ? ir::Function::relu : ir::Function::abs}}, {x});
      case 3:
        return add_sum(x, shape);
      case 4:
        if (is_image) return add_concat(x, shape);
        [[fallthrough]];
      case 5:
        if (is_image && shape[1] > 2) return add_slice(x, shape);
        [[fallthrough]];
      case 6:
        if (is_image) return add(ir::Pool{.kernel = {3, 3}, .pads = {1, 1, 1, 1}}, {x});
        [[fallthrough]];
      case 7:
        return add_reshape(x, shape);
      default:
        if (is_image) add(ir::Transpose{.perm = {0, 2, 3, 1}}, {x});
    }
  }

  void add(ir::Op op, std::vector<ir::ValueId> inputs) {
    values_.push_back(graph_.add_node(std::move(op), std::move(inputs), ""));
  }

  void add_conv(ir::ValueId x, const ir::Shape& shape) {
    const std::int64_t kernel = pick(2) == 0 ? 1 : 3;
    const std::int64_t pad = kernel / 2;
    ir::Conv op{.pads = {pad, pad, pad, pad}};
    if (pick(2) == 0) op.activation.function = ir::Function::relu;
    std::vector<ir::ValueId> inputs{x, weights({8, shape[1], kernel, kernel}), {}};
    for (const ir::ValueId other : values_) {
      const bool fits = graph_.shape(other) == ir::Shape{shape[0], 8, shape[2], shape[3]};
      if (fits && inputs.size() == 3 && pick(2) == 0) inputs.push_back(other);
    }
    add(op, std::move(inputs));
  }

  // With another value of the same shape, where there is one.
  void add_sum(ir::ValueId x, const ir::Shape& shape) {
    ir::ValueId other = x;
    for (const ir::ValueId value : values_) {
      if (graph_.shape(value) == shape && pick(2) == 0) other = value;
    }
    add(ir::Binary{.function = pick(2) == 0 ? ir::BinaryFunction::add : ir::BinaryFunction::max}, {x, other});
  }

  void add_concat(ir::ValueId x, const ir::Shape& shape) {
    std::vector<ir::ValueId> inputs{x};
    for (const ir::ValueId value : values_) {
      const ir::Shape& other = graph_.shape(value);
      const bool fits = other.size() == 4 && other[0] == shape[0] && other[2] == shape[2] && other[3] == shape[3];
      if (fits && inputs.size() < 3 && pick(2) == 0) inputs.push_back(value);
    }
    add(ir::Concat{.axis = 1}, std::move(inputs));
  }

  void add_slice(ir::ValueId x, const ir::Shape& shape) {
    const auto start = static_cast<std::int64_t>(pick(static_cast<std::size_t>(shape[1] - 1)));
    const auto count = 1 + static_cast<std::int64_t>(pick(static_cast<std::size_t>(shape[1] - start)));
    add(ir::Slice{.starts = {0, start, 0, 0}, .steps = {1, 1, 1, 1}, .shape = {shape[0], count, shape[2], shape[3]}},
        {x});
  }

  void add_reshape(ir::ValueId x, const ir::Shape& shape) {
    const std::int64_t size = ir::element_count(shape);
    switch (pick(3)) {
      case 0:
        return add(ir::Reshape{.shape = {1, size}}, {x});
      case 1:
        return add(ir::Reshape{.shape = {1, size, 1, 1}}, {x});
      default:
        if (size % 36 == 0) add(ir::Reshape{.shape = {1, size / 36, 6, 6}}, {x});
    }
  }

  std::mt19937 random_;
  ir::Graph graph_;
  std::vector<ir::ValueId> values_;
};

class LowerRandom : public testing::TestWithParam<unsigned> {};

TEST_P(LowerRandom, AgreesWithTheOracle) {
  ir::Graph graph = RandomGraph(GetParam()).build();
  for (const Kernels kernels : {Kernels::all, Kernels::onednn}) expect_right(graph, 1, 4e-6, kernels);
  passes::run_passes(graph, passes::default_pipeline());
  for (const Kernels kernels : {Kernels::all, Kernels::onednn}) expect_right(graph, 1, 4e-6, kernels);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LowerRandom, testing::Range(0U, 250U));

}  // namespace
}  // namespace deeper::backend::test
