// Elementwise ops: on oneDNN where it has a fast implementation for the layout, else native.

#include <algorithm>
#include <cmath>

#include "backend/layout.h"
#include "backend/lower.h"
#include "backend/onednn/describe.h"
#include "ir/error.h"

namespace deeper::backend {
namespace {

// [C] as [1,C,1,...] of rank `rank`.
Ref per_channel(Ref vector, std::size_t rank) {
  const std::int64_t channels = vector.operand.shape.at(0);
  ir::Shape shape(rank, 1);
  shape.at(1) = channels;
  vector.operand.shape = shape;
  vector.operand.strides = layout_strides(shape);
  return vector;
}

bool is_integer(ir::DataType type) { return type != ir::DataType::f32 && type != ir::DataType::boolean; }

bool same_ranks(const Draft& draft) {
  const std::size_t rank = draft.result.operand.shape.size();
  return std::ranges::all_of(draft.operands, [&](const Ref& ref) { return ref.operand.shape.size() == rank; });
}

// Operand 0 and the result are of one shape and lie alike.
bool same_layout(const Draft& draft) {
  const runtime::Operand& x = draft.operands[0].operand;
  return x.shape == draft.result.operand.shape && same_strides(x.shape, x.strides, draft.result.operand.strides);
}

// Steps of the vectors that a BatchNorm with parameters known only at run time needs.
class VectorSteps {
 public:
  VectorSteps(Lowering& lowering, const ir::Node& node) : lowering_(lowering), node_(node) {}

  Ref binary(ir::BinaryFunction function, const Ref& a, const Ref& b) {
    return emit("native.binary", ir::Binary{.function = function}, {a, b});
  }
  Ref sqrt(const Ref& x) { return emit("native.unary", ir::Unary{.function = {.function = ir::Function::sqrt}}, {x}); }

 private:
  Ref emit(std::string_view kernel, ir::Op op, std::vector<Ref> operands) {
    Draft draft = lowering_.draft(node_, kernel);
    draft.step.op = std::move(op);
    draft.result = lowering_.temporary(operands[0].operand.shape, {1}, node_.name);
    draft.operands = std::move(operands);
    Ref result = draft.result;
    lowering_.emit(std::move(draft));
    return result;
  }

  Lowering& lowering_;
  const ir::Node& node_;
};

struct ScaleShift {
  Ref scale;
  Ref shift;
};

ScaleShift folded(Lowering& lowering, const ir::Node& node, const ir::BatchNorm& op) {
  const auto parameter = [&](std::size_t index) { return lowering.graph().constant(node.inputs[index])->floats(); };
  std::vector<float> scale;
  std::vector<float> shift;
  for (std::size_t c = 0; c < parameter(1).size(); ++c) {
    const double factor = parameter(1)[c] / std::sqrt(static_cast<double>(parameter(4)[c]) + op.epsilon);
    scale.push_back(static_cast<float>(factor));
    shift.push_back(static_cast<float>(parameter(2)[c] - parameter(3)[c] * factor));
  }
  const ir::Shape shape{static_cast<std::int64_t>(scale.size())};
  return {lowering.constant(scale, shape, node.name + ".scale"), lowering.constant(shift, shape, node.name + ".shift")};
}

ScaleShift computed(Lowering& lowering, const ir::Node& node, const ir::BatchNorm& op) {
  VectorSteps steps(lowering, node);
  const ir::Shape& shape = lowering.graph().shape(node.inputs[1]);
  const std::vector<float> epsilons(static_cast<std::size_t>(shape[0]), op.epsilon);
  const Ref epsilon = lowering.constant(epsilons, shape, node.name + ".epsilon");
  const Ref deviation = steps.sqrt(steps.binary(ir::BinaryFunction::add, lowering.row_major(node, 4), epsilon));
  const Ref scale = steps.binary(ir::BinaryFunction::div, lowering.row_major(node, 1), deviation);
  const Ref offset = steps.binary(ir::BinaryFunction::mul, lowering.row_major(node, 3), scale);
  return {scale, steps.binary(ir::BinaryFunction::sub, lowering.row_major(node, 2), offset)};
}

void emit_binary(Lowering& lowering, const ir::Node& node, ir::BinaryFunction function, std::vector<Ref> operands) {
  Draft draft = lowering.draft(node, "native.binary");
  draft.step.op = ir::Binary{.function = function};
  draft.operands = std::move(operands);
  draft.result = lowering.result(node);
  lowering.emit(std::move(draft));
}

}  // namespace

void lower_natively(Lowering& lowering, const ir::Node& node, std::string_view kernel) {
  Draft draft = lowering.draft(node, kernel);
  for (std::size_t index = 0; index < node.inputs.size(); ++index) {
    draft.operands.push_back(lowering.operand(node, index));
  }
  draft.result = lowering.result(node);
  lowering.emit(std::move(draft));
}

bool emit_if_fast(Lowering& lowering, Draft& draft) {
  runtime::Step step = draft.step;
  for (const Ref& ref : draft.operands) step.operands.push_back(ref.operand);
  step.result = draft.result.operand;
  const onednn::Description description = onednn::describe(step, lowering.target().threads);
  if (!description || description.is_reference()) return false;
  draft.step.implementation = description.implementation();
  draft.scratch_bytes = description.scratchpad_bytes();
  lowering.emit(std::move(draft));
  return true;
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Unary& op) {
  const bool prefers_onednn = lowering.options().kernels == Kernels::onednn;
  if (prefers_onednn && onednn::eltwise_of(op.function) &&
      lowering.graph().type(node.output).dtype == ir::DataType::f32) {
    Draft draft = lowering.draft(node, "onednn.eltwise");
    draft.operands = {lowering.operand(node, 0)};
    draft.result = lowering.result(node);
    if (emit_if_fast(lowering, draft)) return;
  }
  lower_natively(lowering, node, "native.unary");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Binary& op) {
  const bool is_of_integers = is_integer(lowering.graph().type(node.inputs[0]).dtype);
  const bool prefers_onednn = lowering.options().kernels == Kernels::onednn && !is_of_integers;
  const bool is_prelu = op.function == ir::BinaryFunction::prelu;
  Draft draft = lowering.draft(node, is_prelu ? "onednn.prelu" : "onednn.binary");
  draft.operands = {lowering.operand(node, 0), lowering.operand(node, 1)};
  draft.result = lowering.result(node);
  const bool fits = (is_prelu && same_layout(draft)) || onednn::binary_of(op.function);
  if (prefers_onednn && fits && same_ranks(draft) && emit_if_fast(lowering, draft)) return;
  draft.step.kernel = "native.binary";
  if (is_of_integers) draft.step.tuning = {1};
  lowering.emit(std::move(draft));
}

void lower(Lowering& lowering, const ir::Node& node, const ir::BatchNorm& op) {
  bool is_constant = true;
  for (std::size_t index = 1; index < 5; ++index) {
    is_constant &= lowering.graph().constant(node.inputs[index]).has_value();
  }
  const std::size_t rank = lowering.graph().shape(node.output).size();
  const ScaleShift vectors = is_constant ? folded(lowering, node, op) : computed(lowering, node, op);
  Draft draft = lowering.draft(node, "onednn.batch_norm");
  draft.operands = {lowering.operand(node, 0), per_channel(vectors.scale, rank), per_channel(vectors.shift, rank)};
  draft.result = lowering.result(node);
  const Ref scale = draft.operands[1];
  const Ref shift = draft.operands[2];
  if (emit_if_fast(lowering, draft)) return;
  emit_binary(lowering, node, ir::BinaryFunction::mul, {lowering.operand(node, 0), scale});
  emit_binary(lowering, node, ir::BinaryFunction::add, {lowering.result(node), shift});
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Where&) {
  lower_natively(lowering, node, "native.where");
}

void lower(Lowering& lowering, const ir::Node& node, const ir::Cast&) {
  lower_natively(lowering, node, "native.unary");
}

}  // namespace deeper::backend
