#include "tools/plan_values.h"

#include "ir/error.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

// The elements of a step's result as they lie in memory, row-major.
ir::Array gather(const runtime::Session& session, const runtime::Operand& operand) {
  ir::Array array{operand.shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(operand.shape)))};
  const float* base = session.address_of(operand);
  ir::Shape index(operand.shape.size(), 0);
  for (double& element : array.data) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < index.size(); ++i) offset += index[i] * operand.strides[i];
    element = static_cast<double>(base[offset]);
    for (std::size_t i = index.size(); i-- > 0 && ++index[i] == operand.shape[i];) index[i] = 0;
  }
  return array;
}

}  // namespace

void for_each_value(const runtime::Program& program, const std::vector<std::vector<float>>& inputs,
                    const std::function<bool(const runtime::Step&)>& wanted,
                    const std::function<void(const runtime::Step&, const ir::Array&)>& show) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {});
  auto out = output_buffers(plan.outputs);
  for (std::size_t k = 0; k < plan.steps.size(); ++k) {
    const runtime::Operand& result = plan.steps[k].result;
    if (result.space != runtime::Space::arena || result.strides.size() != result.shape.size()) continue;
    if (!wanted(plan.steps[k])) continue;
    DEEPER_CHECK(session.run_steps(views(inputs), views(out), k + 1) == runtime::Status::ok, "running the plan");
    show(plan.steps[k], gather(session, result));
  }
}

std::vector<ir::Array> run_outputs(const runtime::Program& program, const std::vector<std::vector<float>>& inputs) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {});
  auto out = output_buffers(plan.outputs);
  DEEPER_CHECK(session.run(views(inputs), views(out)) == runtime::Status::ok, "running the plan");
  std::vector<ir::Array> arrays;
  for (std::size_t i = 0; i < out.size(); ++i) {
    arrays.push_back({plan.outputs[i].type.shape, {out[i].begin(), out[i].end()}});
  }
  return arrays;
}

}  // namespace deeper::tools
