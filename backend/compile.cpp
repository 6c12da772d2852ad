#include "backend/compile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <span>
#include <string>

#include "backend/algorithms.h"
#include "backend/image_loop.h"
#include "backend/kernels/conv_kernels.h"
#include "backend/kernels/native.h"
#include "backend/lower.h"
#include "backend/lowering.h"
#include "backend/onednn/compat.h"
#include "backend/onednn/primitive.h"
#include "ir/error.h"
#include "ir/verify.h"
#include "runtime/machine.h"

namespace deeper::backend {
namespace {

void add_ports(runtime::Plan& plan, const ir::Graph& graph) {
  for (const ir::ValueId value : graph.inputs()) {
    const ir::Value& input = graph.value(value);
    plan.inputs.push_back(
        {.name = input.name, .type = input.type, .onnx_type = std::string(ir::onnx_name(input.type.dtype))});
  }
  for (const ir::Output& output : graph.outputs()) {
    const ir::Type& type = graph.type(output.value);
    plan.outputs.push_back({.name = output.name, .type = type, .onnx_type = std::string(ir::onnx_name(type.dtype))});
  }
}

// By value, the node that alone reads it, where that runs for the same images as the one that gives it.
std::map<ir::ValueId, ir::NodeId> only_users(const ir::Graph& graph, std::span<const NodeLoop> loops) {
  const auto loop_at = [&](std::size_t i) {
    return std::ranges::find_if(loops, [i](const NodeLoop& loop) { return loop.first <= i && i < loop.end; });
  };
  std::map<ir::ValueId, std::size_t> given;  // by nodes before, to be read once; and where in the order
  std::map<ir::ValueId, ir::NodeId> users;
  for (std::size_t i = 0; i < graph.order().size(); ++i) {
    const ir::Node& node = graph.node(graph.order()[i]);
    for (const ir::ValueId value : node.inputs) {
      const auto found = given.find(value);
      if (found != given.end() && loop_at(found->second) == loop_at(i)) users[value] = graph.order()[i];
    }
    if (graph.has_single_use(node.output)) given[node.output] = i;
  }
  return users;
}

}  // namespace

runtime::KernelTable kernel_table() {
  static const std::vector<runtime::KernelRow> rows = [] {
    std::vector<runtime::KernelRow> all(onednn::rows().begin(), onednn::rows().end());
    all.insert(all.end(), native_kernels().begin(), native_kernels().end());
    for (const ConvKernel& kernel : conv_kernels()) {
      const bool pools = kernel.operand_pooled != nullptr || kernel.result_pooled != nullptr;
      all.push_back({.name = kernel.name, .prepare = kernel.prepare, .pools = pools});
    }
    return all;
  }();
  return rows;
}

runtime::Plan compile(const ir::Graph& graph, const Target& target, const CompileOptions& options) {
  std::vector<CompiledConv> convs;
  return compile(graph, target, options, convs);
}

runtime::Plan compile(const ir::Graph& graph, const Target& target, const CompileOptions& options,
                      std::vector<CompiledConv>& convs) {
  const auto start = std::chrono::steady_clock::now();

  ir::verify(graph, ir::Form::imported);
  check_forced_algorithm(options);
  const onednn::ThreadScope threads(target.threads);
  Lowering lowering(graph, target, options);
  const std::vector<NodeLoop> loops =
      options.by_image ? find_image_loops(graph, target, options) : std::vector<NodeLoop>{};
  if (options.pools_with_convs) lowering.set_only_users(only_users(graph, loops));
  auto loop = loops.begin();
  const std::span<const ir::NodeId> order = graph.order();
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (loop != loops.end() && i == loop->first) lowering.begin_images(loop->images, loop->side_by_side);
    const ir::Node& node = graph.node(order[i]);
    const std::size_t first = lowering.step_count();
    std::visit([&](const auto& op) { lower(lowering, node, op); }, node.op);
    if (std::holds_alternative<ir::Conv>(node.op)) {
      convs.push_back({.name = node.name,
                       .problem = conv_problem(lowering, node),
                       .first_step = first,
                       .last_step = lowering.step_count()});
    }
    if (loop == loops.end() || i + 1 != loop->end) continue;
    lowering.end_images();
    ++loop;
  }
  runtime::Plan plan = lowering.finish();
  plan.model = graph.name;
  plan.isa = to_string(target.isa);
  plan.onednn = runtime::onednn_version();
  plan.threads = target.threads;
  add_ports(plan, graph);
  plan.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return plan;
}

}  // namespace deeper::backend
