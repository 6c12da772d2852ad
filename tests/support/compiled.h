#pragma once

#include <span>
#include <stdexcept>
#include <vector>

#include "backend/compile.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "passes/passes.h"
#include "runtime/session.h"

// Runs a graph as users do, with arrays in and out as ir::evaluate has them.
namespace deeper::test {

struct CompiledOptions {
  bool with_passes = true;
  int threads = 2;
  backend::Kernels kernels = backend::Kernels::all;
  bool direct_only = false;  // nothing that transforms weights
};

inline std::vector<ir::Array> run_compiled(ir::Graph graph, std::span<const ir::Array> inputs,
                                           const CompiledOptions& options) {
  if (options.with_passes) passes::run_passes(graph, passes::default_pipeline());
  const backend::CompileOptions compile_options{.kernels = options.kernels, .low_memory = options.direct_only};
  const runtime::Program program(backend::compile(graph, backend::detect_target(options.threads, ""), compile_options),
                                 backend::kernel_table());
  runtime::Session session(program, runtime::SessionOptions{});
  std::vector<std::vector<float>> in;
  for (const ir::Array& input : inputs) in.emplace_back(input.data.begin(), input.data.end());
  std::vector<std::vector<float>> out;
  for (const runtime::Port& port : program.plan().outputs) {
    out.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
  }
  const std::vector<std::span<const float>> in_spans(in.begin(), in.end());
  const std::vector<std::span<float>> out_spans(out.begin(), out.end());
  if (session.run(in_spans, out_spans) != runtime::Status::ok) throw std::runtime_error("the session refused to run");
  std::vector<ir::Array> result;
  for (std::size_t k = 0; k < out.size(); ++k) {
    result.push_back({program.plan().outputs[k].type.shape, {out[k].begin(), out[k].end()}});
  }
  return result;
}

}  // namespace deeper::test
