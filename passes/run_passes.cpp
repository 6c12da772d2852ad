// The registry and the driver of pipelines.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "ir/error.h"
#include "ir/verify.h"
#include "passes/passes.h"

namespace deeper::passes {
namespace {

constexpr PassInfo kPasses[] = {
#define DEEPER_PASS(name, summary, exact_when) {#name, summary, exact_when, name},
#include "passes/passes.def"
#undef DEEPER_PASS
};

const PassInfo& find_pass(std::string_view name) {
  const auto found = std::ranges::find(kPasses, name, &PassInfo::name);
  if (found != std::end(kPasses)) return *found;
  std::string known;
  for (const PassInfo& pass : kPasses) known += fmt::format("{}{}", known.empty() ? "" : ", ", pass.name);
  throw ModelError(fmt::format("'{}' is no pass; there are {}", name, known));
}

PassRun run_one(ir::Graph& graph, const PassInfo& pass) {
  const auto start = std::chrono::steady_clock::now();
  PassRun run{.name = std::string(pass.name), .changed = false, .ms = 0};
  try {
    run.changed = pass.run(graph);
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    run.ms = elapsed.count();
    ir::verify(graph, ir::Form::imported);
  } catch (const ModelError& error) {
    throw ModelError(fmt::format("pass {}: {}", pass.name, error.what()));
  } catch (const InternalError& error) {
    throw InternalError(fmt::format("pass {}: {}", pass.name, error.what()));
  }
  return run;
}

}  // namespace

std::span<const PassInfo> all_passes() { return kPasses; }

Pipeline default_pipeline() {
  Pipeline pipeline;
  for (const PassInfo& pass : kPasses) pipeline.emplace_back(pass.name);
  return pipeline;
}

Pipeline without(std::span<const std::string> disabled) {
  Pipeline pipeline = default_pipeline();
  for (const std::string& name : disabled) std::erase(pipeline, std::string(find_pass(name).name));
  return pipeline;
}

Pipeline parse_pipeline(std::string_view text) {
  Pipeline pipeline;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    pipeline.emplace_back(find_pass(text.substr(0, comma)).name);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) throw ModelError("a list of passes ends with a comma");
  }
  return pipeline;
}

std::vector<PassRun> run_passes(ir::Graph& graph, const Pipeline& pipeline, const RunOptions& options) {
  std::vector<const PassInfo*> passes;
  for (const std::string& name : pipeline) passes.push_back(&find_pass(name));
  if (!options.stop_after.empty()) {
    const auto last = std::ranges::find(pipeline, options.stop_after);
    if (last == pipeline.end()) {
      throw ModelError(fmt::format("'{}' is not in the pipeline", find_pass(options.stop_after).name));
    }
    passes.resize(static_cast<std::size_t>(last - pipeline.begin()) + 1);
  }

  std::vector<PassRun> runs;
  for (const PassInfo* pass : passes) {
    runs.push_back(run_one(graph, *pass));
    if (options.observe) options.observe(runs.back(), graph);
  }
  return runs;
}

std::vector<PassRun> run_passes(ir::Graph& graph, const Pipeline& pipeline) { return run_passes(graph, pipeline, {}); }

}  // namespace deeper::passes
