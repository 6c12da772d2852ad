// deeper bench: latency percentiles of a model or plan.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backend/plan_dump.h"
#include "ir/error.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tools/commands.h"
#include "tools/model_flags.h"
#include "tools/progress.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchFlags {
  ModelFlags model;
  int runs = 50;
  int warmup = 3;
  bool pin = false;
  bool json = false;
};

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Nearest rank.
double percentile(const std::vector<double>& sorted, double p) {
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(p * static_cast<double>(sorted.size()))));
  return sorted[rank - 1];
}

double mega(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void print_table(const nlohmann::ordered_json& r) {
  fmt::print("{}  batch {}  {} thread(s)  kernels {}  {}\n", r["model"].get<std::string>(), r["batch"].get<int>(),
             r["threads"].get<int>(), r["kernels"].get<std::string>(), r["cpu"].get<std::string>());
  fmt::print("latency of {} runs   p50 {:.3f}  p90 {:.3f}  p99 {:.3f}  min {:.3f} ms\n", r["runs"].get<int>(),
             r["p50_ms"].get<double>(), r["p90_ms"].get<double>(), r["p99_ms"].get<double>(),
             r["min_ms"].get<double>());
  fmt::print("first inference      {:.1f} ms   load {:.1f} ms   compile {:.1f} ms\n",
             r["first_inference_ms"].get<double>(), r["load_ms"].get<double>(), r["compile_ms"].get<double>());
  fmt::print("memory               arena {:.2f} MB   weights {:.2f} MB ({:.2f} MB before kernels transform them)\n",
             mega(r["arena_bytes"]), mega(r["weights_bytes"]), mega(r["plain_weights_bytes"]));
  fmt::print("work                 {:.3f} GMAC   {:.1f} GFLOP/s\n", r["gmac"].get<double>(), r["gflops"].get<double>());
}

void bench(const BenchFlags& flags) {
  OpenOptions options = flags.model.options();
  Progress progress;
  options.report = [&](std::string_view what, double share) { progress.show(what, share); };
  progress.show("loading");
  const auto load_start = Clock::now();
  const runtime::Program program(open_plan(flags.model.model(), options), backend::kernel_table());
  runtime::Session session(program, {.pin_threads = flags.pin});
  const double load_ms = ms_since(load_start);

  const runtime::Plan& plan = program.plan();
  const auto in = seeded_inputs(plan.inputs, 1);
  auto out = output_buffers(plan.outputs);
  const auto in_views = views(in);
  const auto out_views = views(out);
  std::vector<double> times;
  const auto run = [&] {
    const auto start = Clock::now();
    DEEPER_CHECK(session.run(in_views, out_views) == runtime::Status::ok, "running the plan");
    return ms_since(start);
  };
  progress.show("running");
  const double first_ms = run();
  for (int i = 0; i < flags.warmup; ++i) run();
  for (int i = 0; i < flags.runs; ++i) times.push_back(run());
  std::ranges::sort(times);

  std::int64_t macs = 0;
  for (const runtime::Step& step : plan.steps) macs += step.multiply_adds;
  const bool from_plan = runtime::is_plan_file(flags.model.model());
  nlohmann::ordered_json report;
  report["model"] = plan.model.empty() ? flags.model.model().stem().string() : plan.model;
  report["batch"] = plan.inputs.empty() || plan.inputs[0].type.shape.empty() ? 1 : plan.inputs[0].type.shape[0];
  report["threads"] = plan.threads;
  report["runs"] = flags.runs;
  report["p50_ms"] = percentile(times, 0.5);
  report["p90_ms"] = percentile(times, 0.9);
  report["p99_ms"] = percentile(times, 0.99);
  report["min_ms"] = times.front();
  report["first_inference_ms"] = load_ms + first_ms;
  report["load_ms"] = from_plan ? load_ms : load_ms - plan.compile_ms;
  report["compile_ms"] = plan.compile_ms;
  report["arena_bytes"] = plan.arena_bytes;
  report["weights_bytes"] = plan.weights ? plan.weights->bytes().size() : 0;
  report["plain_weights_bytes"] = backend::plain_weights_bytes(plan);
  report["gmac"] = static_cast<double>(macs) / 1e9;
  report["gflops"] = 2.0 * static_cast<double>(macs) / 1e6 / percentile(times, 0.5);
  report["kernels"] = kernels_text(options.compile);
  report["cpu"] = backend::detect_target(plan.threads, options.isa).cpu;
  if (flags.json) {
    fmt::print("{}\n", report.dump(1));
  } else {
    print_table(report);
  }
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command = app.add_subcommand("bench", "measure the latency of a model or plan");
  flags->model.add_to(*command, "--output");
  command->add_option("--runs", flags->runs, "timed runs")->check(CLI::Range(1, 1000000))->capture_default_str();
  command->add_option("--warmup", flags->warmup, "untimed runs after the first")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command->add_flag("--pin", flags->pin, "pin every thread to a CPU");
  command->add_flag("--json", flags->json, "print one JSON object");
  command->callback([flags] { bench(*flags); });
}

}  // namespace deeper::tools
