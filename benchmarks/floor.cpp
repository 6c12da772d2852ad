// How near a model's latency is to the least that direct convolution could take: its multiply-adds, without those that
// only read padding, at the FMA rate that this thread reaches from registers in the same run.
//   floor MODEL(.onnx or a name of the zoo) [--threads N] [--isa avx2|avx512|amx] [--kernels all|onednn|NAME]
//         [--accuracy safe|fast] [--runs N] [--steps]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "backend/compile.h"
#include "benchmarks/fma_rate.h"
#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "ir/match.h"
#include "passes/passes.h"
#include "runtime/session.h"

namespace deeper::benchmarks {
namespace {

struct Options {
  std::string model;
  int threads = 1;
  std::string isa;
  std::string kernels = "all";
  std::string accuracy = "safe";
  int runs = 30;
  bool steps = false;
};

ir::Graph load(const std::string& model) {
  std::filesystem::path path = model;
  const auto entries = frontend::zoo_entries();
  const bool is_zoo = std::ranges::any_of(entries, [&](const auto& entry) { return entry.name == model; });
  if (is_zoo) {
    path = std::filesystem::temp_directory_path() / fmt::format("deeper-floor-{}.onnx", model);
    if (!std::filesystem::exists(path)) frontend::write_zoo_model(model, path, {});
  }
  frontend::ImportOptions import;
  ir::Graph graph = frontend::import_onnx(path, import);
  if (is_zoo && graph.outputs().size() > 1) {
    // Without the auxiliary heads.
    import.outputs = {graph.outputs()[0].name};
    graph = frontend::import_onnx(path, import);
  }
  passes::run_passes(graph, passes::default_pipeline());
  return graph;
}

std::int64_t padding_free_multiply_adds(const ir::Graph& graph) {
  std::int64_t sum = 0;
  for (const ir::NodeId id : graph.order()) sum += ir::multiply_adds(graph, graph.node(id), true);
  return sum;
}

double processor_ms() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Latencies and FMA rates, taken in turns so that a change of clock meets both.
struct Measured {
  std::vector<double> ms;
  std::vector<double> processor_ms;  // of each thread: what latency would be if nothing else ran
  std::vector<double> fma_rates;
  std::vector<std::int64_t> step_ns;  // least of each step
};

Measured measure(const runtime::Program& program, backend::Isa isa, int runs) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {.pin_threads = true});
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<float>> outputs;
  for (const runtime::Port& port : plan.inputs) inputs.emplace_back(ir::element_count(port.type.shape), 0.5F);
  for (const runtime::Port& port : plan.outputs) outputs.emplace_back(ir::element_count(port.type.shape));
  const std::vector<std::span<const float>> in(inputs.begin(), inputs.end());
  const std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  Measured measured;
  measured.step_ns.assign(plan.steps.size(), std::numeric_limits<std::int64_t>::max());
  std::vector<std::int64_t> step_ns(plan.steps.size());
  constexpr int kWarmUp = 3;
  for (int i = 0; i < runs + kWarmUp; ++i) {
    const double rate = measure_fma_rate(isa);
    const auto start = std::chrono::steady_clock::now();
    const double processor_start = processor_ms();
    session.run(in, out);
    const double processor = (processor_ms() - processor_start) / plan.threads;
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    session.run_profiled(in, out, step_ns);
    if (i < kWarmUp) continue;
    measured.fma_rates.push_back(rate);
    measured.ms.push_back(taken.count());
    measured.processor_ms.push_back(processor);
    for (std::size_t s = 0; s < step_ns.size(); ++s) measured.step_ns[s] = std::min(measured.step_ns[s], step_ns[s]);
  }
  std::ranges::sort(measured.ms);
  std::ranges::sort(measured.processor_ms);
  std::ranges::sort(measured.fma_rates);
  return measured;
}

void print_steps(const runtime::Plan& plan, const Measured& measured, double fma_rate) {
  std::map<std::string, double> by_kernel;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const runtime::Step& step = plan.steps[i];
    const auto us = static_cast<double>(measured.step_ns[i]) * 1e-3;
    by_kernel[step.kernel] += us;
    fmt::print("{:9.1f} us  {:5.2f} of peak  {:14} {:36} {}\n", us,
               static_cast<double>(step.multiply_adds) / (us * 1e3 * fma_rate), step.kernel, step.implementation,
               step.name);
  }
  for (const auto& [kernel, us] : by_kernel) fmt::print("{:9.1f} us  {}\n", us, kernel);
}

int run(const Options& options) {
  const backend::Target target = backend::detect_target(options.threads, options.isa);
  const ir::Graph graph = load(options.model);
  backend::CompileOptions compile;
  if (options.kernels == "onednn") compile.kernels = backend::Kernels::onednn;
  if (options.kernels != "onednn" && options.kernels != "all") compile.force = options.kernels;
  if (options.accuracy == "fast") compile.accuracy = backend::Accuracy::fast;
  const runtime::Program program(backend::compile(graph, target, compile), backend::kernel_table());
  const Measured measured = measure(program, target.isa, options.runs);
  const double fma_rate = measured.fma_rates[measured.fma_rates.size() / 2];
  const auto multiply_adds = static_cast<double>(padding_free_multiply_adds(graph));
  const double floor_ms = multiply_adds / fma_rate * 1e-6 / options.threads;
  if (options.steps) print_steps(program.plan(), measured, fma_rate * options.threads);
  const double median = measured.ms[measured.ms.size() / 2];
  fmt::print("{}: {:.3f} G multiply-adds on pixels, {:.1f} GFLOP/s from registers on each of {} threads ({})\n",
             options.model, multiply_adds * 1e-9, 2 * fma_rate, options.threads, backend::to_string(target.isa));
  const double processor = measured.processor_ms[measured.processor_ms.size() / 2];
  fmt::print("floor {:.2f} ms, latency {:.2f} ms (least {:.2f}): {:.3f} of the floor\n", floor_ms, median,
             measured.ms.front(), median / floor_ms);
  fmt::print("processor time of each thread {:.2f} ms (least {:.2f}): {:.3f} of the floor; compiled in {:.0f} ms\n",
             processor, measured.processor_ms.front(), processor / floor_ms, program.plan().compile_ms);
  return 0;
}

}  // namespace
}  // namespace deeper::benchmarks

int main(int count, char** arguments) {
  deeper::benchmarks::Options options;
  CLI::App app("Latency of a model as a multiple of direct convolution at the FMA peak");
  app.add_option("model", options.model, "ONNX file, or a name of the zoo")->required();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 256));
  app.add_option("--isa", options.isa)->check(CLI::IsMember({"avx2", "avx512", "amx"}));
  app.add_option("--kernels", options.kernels, "all, onednn or one algorithm's name");
  app.add_option("--accuracy", options.accuracy)->check(CLI::IsMember({"safe", "fast"}));
  app.add_option("--runs", options.runs)->check(CLI::Range(1, 100000));
  app.add_flag("--steps", options.steps, "least time of every step");
  CLI11_PARSE(app, count, arguments);
  try {
    return deeper::benchmarks::run(options);
  } catch (const deeper::ModelError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
