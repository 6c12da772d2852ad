// Walks the graph in order, keeps every array until its last use, and hands each node to its op's compute().
#include "ir/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "ir/error.h"
#include "ir/evaluate_ops.h"

namespace deeper::ir {
namespace {

template <typename Real>
struct Dense {
  Shape shape;
  std::vector<Real> data;
};

int thread_count(int wish) {
  return wish > 0 ? wish : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

template <typename Real>
Dense<Real> dense_constant(const Tensor& tensor) {
  Dense<Real> result{tensor.shape(), {}};
  const auto assign = [&](const auto& elements) {
    result.data.resize(elements.size());
    std::ranges::transform(elements, result.data.begin(), [](auto x) { return static_cast<Real>(x); });
  };
  if (tensor.is_f32()) {
    assign(tensor.floats());
  } else {
    assign(tensor.ints());
  }
  return result;
}

template <typename Real>
std::vector<Real> compute_op(const Op& op, std::span<const oracle::Operand<Real>> inputs, const Type& type,
                             int threads) {
  std::vector<Real> out(static_cast<std::size_t>(element_count(type.shape)));
  const oracle::Call<Real> call{inputs, type, out, threads};
  std::visit([&](const auto& o) { oracle::compute(o, call); }, op);
  return out;
}

// For every value the number of the step that reads it last; `order` is the steps. Values in `kept` are never let go.
std::vector<std::size_t> last_uses(const Graph& graph, std::span<const NodeId> order, std::span<const ValueId> kept) {
  std::vector<std::size_t> last(graph.value_capacity(), 0);
  for (std::size_t step = 0; step < order.size(); ++step) {
    const Node& node = graph.node(order[step]);
    last[node.output.index] = step;
    for (const ValueId input : node.inputs) {
      if (input.valid()) last[input.index] = step;
    }
  }
  for (const ValueId value : kept) last[value.index] = order.size();
  return last;
}

// The nodes that `wanted` depends on, in order.
std::vector<NodeId> needed_nodes(const Graph& graph, std::span<const ValueId> wanted) {
  std::vector<bool> needed(graph.value_capacity(), false);
  for (const ValueId value : wanted) needed[value.index] = true;
  std::vector<NodeId> nodes;
  for (std::size_t i = graph.order().size(); i-- > 0;) {
    const Node& node = graph.node(graph.order()[i]);
    if (!needed[node.output.index]) continue;
    nodes.push_back(graph.order()[i]);
    for (const ValueId input : node.inputs) {
      if (input.valid()) needed[input.index] = true;
    }
  }
  std::ranges::reverse(nodes);
  return nodes;
}

// The arrays that exist at one moment.
template <typename Real>
class Evaluator {
 public:
  Evaluator(const Graph& graph, int threads) : graph_(graph), threads_(threads), arrays_(graph.value_capacity()) {}

  void set(ValueId id, Dense<Real> array) { arrays_[id.index] = std::move(array); }

  Dense<Real>& array(ValueId id) {
    std::optional<Dense<Real>>& array = arrays_[id.index];
    if (!array && graph_.constant(id)) array = dense_constant<Real>(*graph_.constant(id));
    DEEPER_CHECK(array.has_value(), fmt::format("evaluating value '{}'", graph_.value(id).name));
    return *array;
  }

  // Runs the steps, calling done(id) after each.
  template <typename Done>
  void run(std::span<const NodeId> order, std::span<const ValueId> kept, const Done& done) {
    const std::vector<std::size_t> last = last_uses(graph_, order, kept);
    for (std::size_t step = 0; step < order.size(); ++step) {
      const Node& node = graph_.node(order[step]);
      step_through(node);
      done(order[step]);
      if (last[node.output.index] == step) arrays_[node.output.index].reset();
      for (const ValueId input : node.inputs) {
        if (input.valid() && last[input.index] == step) arrays_[input.index].reset();
      }
    }
  }

 private:
  void step_through(const Node& node) {
    std::vector<oracle::Operand<Real>> operands;
    for (const ValueId input : node.inputs) {
      if (!input.valid()) {
        operands.emplace_back();
        continue;
      }
      const Dense<Real>& operand = array(input);
      operands.push_back({&graph_.shape(input), operand.data});
    }
    const Type& type = graph_.type(node.output);
    try {
      set(node.output, {type.shape, compute_op<Real>(node.op, operands, type, threads_)});
    } catch (const ModelError& error) {
      throw ModelError(fmt::format("node '{}' ({}): {}", node.name, op_name(node.op), error.what()));
    }
  }

  const Graph& graph_;
  int threads_;
  std::vector<std::optional<Dense<Real>>> arrays_;
};

void check_input(const Graph& graph, ValueId id, const Array& array) {
  const Value& input = graph.value(id);
  if (array.shape != input.type.shape) {
    throw ModelError(fmt::format("input '{}' is {}, given {}", input.name, to_string(input.type),
                                 to_string(Type{input.type.dtype, array.shape})));
  }
  if (static_cast<std::int64_t>(array.data.size()) != element_count(array.shape)) {
    throw ModelError(
        fmt::format("input '{}' is {}, given {} elements", input.name, to_string(input.type), array.data.size()));
  }
}

template <typename Real>
Array widen(const Dense<Real>& dense) {
  return {dense.shape, std::vector<double>(dense.data.begin(), dense.data.end())};
}

template <typename Real>
Dense<Real> narrow(const Array& array) {
  std::vector<Real> data(array.data.size());
  std::ranges::transform(array.data, data.begin(), [](double x) { return static_cast<Real>(x); });
  return {array.shape, std::move(data)};
}

template <typename Real>
std::vector<Array> evaluate_in(const Graph& graph, std::span<const Array> inputs, const EvaluateOptions& options) {
  Evaluator<Real> evaluator(graph, thread_count(options.threads));
  for (std::size_t i = 0; i < inputs.size(); ++i) evaluator.set(graph.inputs()[i], narrow<Real>(inputs[i]));
  std::vector<ValueId> wanted;
  for (const Output& output : graph.outputs()) wanted.push_back(output.value);
  const std::vector<NodeId> needed = needed_nodes(graph, wanted);
  const std::span<const NodeId> order = options.observe ? graph.order() : std::span<const NodeId>(needed);
  evaluator.run(order, wanted, [&](NodeId id) {
    const ValueId output = graph.node(id).output;
    if (options.observe) options.observe(id, widen(evaluator.array(output)));
    const Array* other = options.replace ? options.replace(id) : nullptr;
    if (other == nullptr) return;
    DEEPER_CHECK(other->shape == graph.shape(output), fmt::format("replacing '{}'", graph.value(output).name));
    evaluator.set(output, narrow<Real>(*other));
  });
  std::vector<Array> results;
  for (const ValueId value : wanted) results.push_back(widen(evaluator.array(value)));
  return results;
}

bool has_more_elements(const Shape& shape, std::int64_t cap) {
  if (std::ranges::find(shape, 0) != shape.end()) return cap < 0;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count) || count > cap) return true;
  }
  return count > cap;
}

}  // namespace

Array to_array(const Tensor& tensor) {
  Dense<double> dense = dense_constant<double>(tensor);
  return {std::move(dense.shape), std::move(dense.data)};
}

Tensor to_tensor(const Array& array, DataType dtype) {
  if (dtype == DataType::f32) {
    std::vector<float> data(array.data.size());
    std::ranges::transform(array.data, data.begin(), [](double x) { return static_cast<float>(x); });
    return Tensor::f32(array.shape, std::move(data));
  }
  std::vector<std::int64_t> data(array.data.size());
  std::ranges::transform(array.data, data.begin(), [&](double x) {
    const double whole = oracle::as_type(x, dtype);
    return whole >= 0x1p63 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(whole);
  });
  return Tensor::integer(dtype, array.shape, std::move(data));
}

Array evaluate_op(const Op& op, std::span<const Array* const> inputs, const Type& result) {
  std::vector<oracle::Operand<double>> operands;
  for (const Array* input : inputs) {
    operands.push_back(input == nullptr ? oracle::Operand<double>{}
                                        : oracle::Operand<double>{&input->shape, input->data});
  }
  return {result.shape, compute_op<double>(op, operands, result, thread_count(0))};
}

std::optional<Tensor> evaluate_constant(const Graph& graph, ValueId value, std::int64_t element_cap) {
  if (graph.constant(value)) return graph.constant(value);
  const std::vector<ValueId> wanted = {value};
  const std::vector<NodeId> order = needed_nodes(graph, wanted);
  std::vector<bool> known(graph.value_capacity(), false);
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    for (const ValueId input : node.inputs) {
      if (!input.valid() || known[input.index]) continue;
      if (!graph.constant(input) || has_more_elements(graph.shape(input), element_cap)) return std::nullopt;
    }
    if (has_more_elements(graph.shape(node.output), element_cap)) return std::nullopt;
    known[node.output.index] = true;
  }
  if (!known[value.index]) return std::nullopt;  // a graph input
  Evaluator<double> evaluator(graph, thread_count(0));
  evaluator.run(order, wanted, [](NodeId) {});
  Dense<double>& result = evaluator.array(value);
  return to_tensor({result.shape, std::move(result.data)}, graph.type(value).dtype);
}

std::vector<Array> evaluate(const Graph& graph, std::span<const Array> inputs, const EvaluateOptions& options) {
  if (inputs.size() != graph.inputs().size()) {
    throw ModelError(fmt::format("the graph has {} inputs, given {}", graph.inputs().size(), inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(graph, graph.inputs()[i], inputs[i]);
  return options.precision == Precision::f64 ? evaluate_in<double>(graph, inputs, options)
                                             : evaluate_in<float>(graph, inputs, options);
}

std::vector<Array> evaluate(const Graph& graph, std::span<const Array> inputs) {
  return evaluate(graph, inputs, EvaluateOptions{});
}

}  // namespace deeper::ir
