#include "frontend/node_context.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "frontend/decode_tensor.h"
#include "frontend/model_index.h"
#include "ir/evaluate.h"

namespace deeper::frontend {
namespace {

// Shape-like operands are small; a larger value on their way means they are something else.
constexpr std::int64_t kMostFoldedElements = 1 << 16;

}  // namespace

ir::Shape flattened(const ir::Shape& shape, std::int64_t axis) {
  const auto product = [](auto first, auto last) {
    return std::accumulate(first, last, std::int64_t{1}, std::multiplies<>());
  };
  return {product(shape.begin(), shape.begin() + axis), product(shape.begin() + axis, shape.end())};
}

NodeContext::NodeContext(ImportState& state, const onnx::NodeProto& node, std::int64_t opset)
    : state_(state), node_(node), opset_(opset), attributes_(node), name_(node_name(node)) {}

bool NodeContext::has_input(std::size_t i) const {
  return i < input_count() && !node_.input(static_cast<int>(i)).empty();
}

ir::ValueId NodeContext::input(std::size_t i) const {
  require(has_input(i), "input {} is missing", i);
  return state_.values.at(node_.input(static_cast<int>(i)));
}

ir::ValueId NodeContext::optional_input(std::size_t i) const { return has_input(i) ? input(i) : ir::ValueId{}; }

std::vector<ir::ValueId> NodeContext::inputs() const {
  std::vector<ir::ValueId> result;
  for (std::size_t i = 0; i < input_count(); ++i) result.push_back(input(i));
  return result;
}

std::int64_t NodeContext::axis(std::int64_t axis, std::int64_t rank) const {
  require(axis >= -rank && axis < rank, "axis {} is outside rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

std::vector<std::int64_t> NodeContext::axes(std::vector<std::int64_t> axes, std::int64_t rank) const {
  for (std::int64_t& one : axes) one = axis(one, rank);
  std::ranges::sort(axes);
  require(std::ranges::adjacent_find(axes) == axes.end(), "an axis is named twice");
  return axes;
}

std::optional<ir::Tensor> NodeContext::constant(ir::ValueId value) const {
  return ir::evaluate_constant(state_.graph, value, kMostFoldedElements);
}

ir::Tensor NodeContext::required_constant(std::size_t i, std::string_view what) const {
  std::optional<ir::Tensor> tensor = constant(input(i));
  require(tensor.has_value(), "{} (input {}) must be a constant of at most {} elements", what, i, kMostFoldedElements);
  return *std::move(tensor);
}

std::vector<std::int64_t> NodeContext::integers(std::size_t i, std::string_view what) const {
  const ir::Tensor tensor = required_constant(i, what);
  require(!tensor.is_f32(), "{} (input {}) must be integers, is {}", what, i, to_string(tensor.type()));
  require(tensor.shape().size() <= 1, "{} (input {}) must be a list, is {}", what, i, to_string(tensor.type()));
  return {tensor.ints().begin(), tensor.ints().end()};
}

std::vector<float> NodeContext::numbers(std::size_t i, std::string_view what) const {
  const ir::Tensor tensor = required_constant(i, what);
  std::vector<float> result;
  for (std::int64_t k = 0; k < tensor.size(); ++k) result.push_back(static_cast<float>(tensor.at(k)));
  return result;
}

float NodeContext::number(std::size_t i, std::string_view what) const {
  const std::vector<float> all = numbers(i, what);
  require(all.size() == 1, "{} (input {}) must have one element, has {}", what, i, all.size());
  return all[0];
}

std::int64_t NodeContext::integer(std::size_t i, std::string_view what) const {
  const std::vector<std::int64_t> all = integers(i, what);
  require(all.size() == 1, "{} (input {}) must have one element, has {}", what, i, all.size());
  return all[0];
}

std::optional<std::vector<std::int64_t>> NodeContext::integers_since(std::int64_t since, std::string_view name,
                                                                     std::size_t i) const {
  if (opset_ < since) return attributes_.integers(name);
  if (!has_input(i)) return std::nullopt;
  return integers(i, name);
}

ir::Tensor NodeContext::decode(const onnx::TensorProto& tensor) const {
  return decode_tensor(tensor, *state_.external);
}

ir::Tensor NodeContext::decode(const onnx::SparseTensorProto& tensor) const {
  return decode_sparse_tensor(tensor, *state_.external);
}

bool NodeContext::is_used(std::size_t output) const {
  return output < output_count() && state_.used.contains(node_.output(static_cast<int>(output)));
}

std::string NodeContext::fresh_name() {
  const std::string& base = node_.output_size() > 0 ? node_.output(0) : name_;
  std::string name;
  do {
    name = fmt::format("{}.{}", base, ++intermediates_);
  } while (state_.onnx_names.contains(name));
  return name;
}

ir::ValueId NodeContext::append(ir::Op op, std::vector<ir::ValueId> inputs, std::string value_name,
                                std::string node_name) {
  const ir::ValueId value = state_.graph.add_node(std::move(op), std::move(inputs), std::move(value_name), {name_});
  state_.graph.set_node_name(state_.graph.producer(value), std::move(node_name));
  checked_element_count(shape(value));
  return value;
}

ir::ValueId NodeContext::add(ir::Op op, std::vector<ir::ValueId> inputs) {
  std::string name = fresh_name();
  return append(std::move(op), std::move(inputs), std::move(name), fmt::format("{}.{}", name_, intermediates_));
}

ir::ValueId NodeContext::add_constant(ir::Tensor tensor) {
  return state_.graph.add_constant(fresh_name(), std::move(tensor));
}

ir::ValueId NodeContext::add_scalar(float value) { return add_constant(ir::Tensor::scalar(value)); }

void NodeContext::result_at(std::size_t output, ir::Op op, std::vector<ir::ValueId> inputs) {
  require(output < output_count(), "output {} is missing", output);
  const std::string& name = node_.output(static_cast<int>(output));
  std::string node_name = output == 0 ? name_ : fmt::format("{}:{}", name_, output);
  state_.values[name] = append(std::move(op), std::move(inputs), name, std::move(node_name));
}

void NodeContext::constant_result(ir::Tensor tensor) {
  require(output_count() > 0, "output 0 is missing");
  state_.values[node_.output(0)] = state_.graph.add_constant(node_.output(0), std::move(tensor));
}

ir::ValueId NodeContext::output(std::size_t output) const {
  return state_.values.at(node_.output(static_cast<int>(output)));
}

ir::ValueId NodeContext::unary(ir::Function function, ir::ValueId x) {
  return add(ir::Unary{.function = {.function = function}}, {x});
}

ir::ValueId NodeContext::binary(ir::BinaryFunction function, ir::ValueId x, ir::ValueId y) {
  return add(ir::Binary{.function = function}, {x, y});
}

ir::ValueId NodeContext::reshape(ir::ValueId x, ir::Shape shape) {
  if (this->shape(x) == shape) return x;
  return add(ir::Reshape{.shape = std::move(shape)}, {x});
}

ir::ValueId NodeContext::cast(ir::ValueId x, ir::DataType to) {
  if (type(x).dtype == to) return x;
  return add(ir::Cast{.to = to}, {x});
}

}  // namespace deeper::frontend
