#include "tools/plan_values.h"

#include "ir/error.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

// The elements from `base` on, as strides say.
ir::Array gather(const float* base, const runtime::Operand& operand) {
  ir::Array array{operand.shape, std::vector<double>(static_cast<std::size_t>(ir::element_count(operand.shape)))};
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

std::vector<StepValue> step_values(const runtime::Program& program, const std::vector<std::vector<float>>& inputs) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {});
  auto out = output_buffers(plan.outputs);
  const auto value_after = [&](std::size_t step, std::int64_t image) {
    const runtime::Operand& result = plan.steps[step].result;
    DEEPER_CHECK(session.run_steps(views(inputs), views(out), step + 1, image) == runtime::Status::ok,
                 "running the plan");
    const float* base = result.space == runtime::Space::output
                            ? out.at(result.port).data() + runtime::offset_of(result, image) / sizeof(float)
                            : session.address_of(result, image);
    return gather(base, result);
  };
  std::vector<StepValue> values;
  for (std::size_t k = 0; k < plan.steps.size(); ++k) {
    const runtime::Operand& result = plan.steps[k].result;
    if (result.strides.size() != result.shape.size()) continue;
    const std::int64_t images = runtime::images_of_step(plan, k);
    ir::Array all = value_after(k, 0);
    for (std::int64_t image = 1; image < images; ++image) {
      const ir::Array one = value_after(k, image);
      all.data.insert(all.data.end(), one.data.begin(), one.data.end());
    }
    if (images > 1) all.shape.at(0) *= images;
    values.push_back({&plan.steps[k], std::move(all)});
  }
  return values;
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
