#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ir/graph.h"

// The oracle: evaluates a graph as its definition says, in double (or, to know what fp32 costs, in float).
namespace deeper::ir {

// A dense row-major array of numbers; integer types hold whole numbers.
struct Array {
  Shape shape;
  std::vector<double> data;
};

Array to_array(const Tensor& tensor);
// Rounds once to the tensor's type.
Tensor to_tensor(const Array& array, DataType dtype);

enum class Precision : std::uint8_t { f64, f32 };  // of every operation and every accumulation

struct EvaluateOptions {
  Precision precision = Precision::f64;
  int threads = 0;  // 0: as many as the machine has
  // Called with every node's result as it is computed; may be empty.
  std::function<void(NodeId, const Array&)> observe{};
  // Called after observe: where it gives an array, of the result's shape, what reads the result reads that instead. May
  // be empty.
  std::function<const Array*(NodeId)> replace{};
};

// One array per graph input, in order; gives one per graph output. Throws ModelError where an input does not fit.
std::vector<Array> evaluate(const Graph& graph, std::span<const Array> inputs, const EvaluateOptions& options);
std::vector<Array> evaluate(const Graph& graph, std::span<const Array> inputs);

// One op on arrays (absent operands: an empty pointer). `result` is the type infer gave.
Array evaluate_op(const Op& op, std::span<const Array* const> inputs, const Type& result);

// Elements beyond which fold_constants leaves a value to run time.
inline constexpr std::int64_t kFoldCap = std::int64_t{64} << 20;

// The value as a constant, evaluating the nodes it depends on; nothing where it depends on a graph input, or where a
// value on the way has more than `element_cap` elements.
std::optional<Tensor> evaluate_constant(const Graph& graph, ValueId value, std::int64_t element_cap);

}  // namespace deeper::ir
