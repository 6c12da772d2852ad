#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

// Rewrites of the graph. A pass is `bool name(ir::Graph&)`, true where it changed anything: no options, no state. Its
// file opens with what it does, before and after in IR text, and when it is exact.
namespace deeper::passes {

#define DEEPER_PASS(name, summary, exact_when) bool name(ir::Graph& graph);
#include "passes/passes.def"
#undef DEEPER_PASS

struct PassInfo {
  std::string_view name;
  std::string_view summary;     // one line
  std::string_view exact_when;  // one line
  bool (*run)(ir::Graph&);
};

// The registry in pipeline order (passes.def).
std::span<const PassInfo> all_passes();

// Names in the order they run; the same one may stand twice.
using Pipeline = std::vector<std::string>;
Pipeline default_pipeline();
// The default without some. Throws ModelError for a name that is no pass.
Pipeline without(std::span<const std::string> disabled);
// "a,b,c". Throws ModelError for a name that is no pass; an empty text is the empty pipeline.
Pipeline parse_pipeline(std::string_view text);

struct PassRun {
  std::string name;
  bool changed = false;
  double ms = 0;
};

struct RunOptions {
  // Called after every pass with the graph as it left it; may be empty.
  std::function<void(const PassRun&, const ir::Graph&)> observe;
  std::string stop_after;  // last pass to run; empty: all
};

// Runs the pipeline, verifying the graph after every pass (InternalError naming the pass that broke it).
std::vector<PassRun> run_passes(ir::Graph& graph, const Pipeline& pipeline, const RunOptions& options);
std::vector<PassRun> run_passes(ir::Graph& graph, const Pipeline& pipeline);

}  // namespace deeper::passes
