// The engine as a whole on the zoo: latency, share of what is not convolution or fully connected, what profiling adds,
// loading a plan, from the start of a process to its first answer, memory.
//   build/release/bench_engine [--kernels=all|onednn] [--threads=1] [--isa=avx2|avx512|amx] [Google Benchmark's flags]
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>

#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tools/open.h"
#include "tools/profile.h"
#include "tools/tensors.h"

namespace {

using namespace deeper;

struct Flags {
  std::string kernels = "all";
  int threads = 1;
  std::string isa;
};

// The model's plan on disk, made on first use.
std::filesystem::path plan_of(const std::string& model, const Flags& flags) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("deeper_benchmark_{}", ::getuid());
  std::filesystem::create_directories(folder);
  const std::filesystem::path onnx = folder / (model + ".onnx");
  const std::filesystem::path plan =
      folder / fmt::format("{}.{}.{}.{}.plan", model, flags.kernels, flags.threads, ::getpid());
  if (!std::filesystem::exists(onnx)) frontend::write_zoo_model(model, onnx, {});
  if (!std::filesystem::exists(plan)) {
    OpenOptions options;
    options.threads = flags.threads;
    options.isa = flags.isa;
    options.compile.kernels = flags.kernels == "onednn" ? backend::Kernels::onednn : backend::Kernels::all;
    runtime::save_plan(open_plan(onnx, options), plan);
  }
  return plan;
}

// A program with buffers for its ports.
struct Loaded {
  explicit Loaded(const std::filesystem::path& plan)
      : program(open_plan(plan, {}), backend::kernel_table()),
        session(program, {.pin_threads = true}),
        in(tools::seeded_inputs(program.plan().inputs, 1)),
        out(tools::output_buffers(program.plan().outputs)),
        in_views(tools::views(in)),
        out_views(tools::views(out)) {}

  void run() { DEEPER_CHECK(session.run(in_views, out_views) == runtime::Status::ok, "running the plan"); }

  runtime::Program program;
  runtime::Session session;
  const std::vector<std::vector<float>> in;
  std::vector<std::vector<float>> out;
  std::vector<std::span<const float>> in_views;
  std::vector<std::span<float>> out_views;
};

bool is_dense_layer(const runtime::Step& step) {
  return (std::holds_alternative<ir::Conv>(step.op) || std::holds_alternative<ir::MatMul>(step.op)) &&
         step.multiply_adds > 0;
}

void latency(benchmark::State& state, const std::string& model, const Flags& flags) {
  Loaded loaded(plan_of(model, flags));
  loaded.run();
  for (auto _ : state) loaded.run();
  const runtime::Plan& plan = loaded.program.plan();
  const double macs =
      std::transform_reduce(plan.steps.begin(), plan.steps.end(), 0.0, std::plus<>(),
                            [](const runtime::Step& step) { return static_cast<double>(step.multiply_adds); });
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * macs * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["arena/bound"] = static_cast<double>(plan.arena_bytes) / static_cast<double>(plan.arena_lower_bound);
}

void not_convolution_share(benchmark::State& state, const std::string& model, const Flags& flags) {
  Loaded loaded(plan_of(model, flags));
  const std::vector<runtime::Step>& steps = loaded.program.plan().steps;
  std::vector<std::int64_t> ns(steps.size());
  loaded.run();
  double rest = 0;
  double all = 0;
  for (auto _ : state) {
    DEEPER_CHECK(loaded.session.run_profiled(loaded.in_views, loaded.out_views, ns) == runtime::Status::ok,
                 "profiling");
    for (std::size_t k = 0; k < steps.size(); ++k) {
      all += static_cast<double>(ns[k]);
      if (!is_dense_layer(steps[k])) rest += static_cast<double>(ns[k]);
    }
  }
  state.counters["share"] = rest / all;
}

// What timing every step adds to a run, as a share: the median over pairs of a plain and a profiled run.
void profiling_overhead(benchmark::State& state, const std::string& model, const Flags& flags) {
  const Loaded loaded(plan_of(model, flags));
  double overhead = 0;
  for (auto _ : state) overhead = tools::measure_profile(loaded.program, {.runs = 40, .pin = true}, {}).overhead.median;
  state.counters["overhead"] = overhead;
}

void load(benchmark::State& state, const std::string& model, const Flags& flags) {
  const std::filesystem::path path = plan_of(model, flags);
  for (auto _ : state) {
    const runtime::Program program(open_plan(path, {}), backend::kernel_table());
    runtime::Session session(program, {});
    benchmark::DoNotOptimize(session);
  }
}

std::uint64_t status_bytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return 1024 * std::stoull(line.substr(key.size() + 1));
  }
  return 0;
}

// What this program prints in a fresh process with these arguments.
std::string output_of_self(const char* what, const std::filesystem::path& path) {
  int channel[2] = {};
  DEEPER_CHECK(::pipe(channel) == 0, "opening a pipe");
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(channel[1], STDOUT_FILENO);
    ::execl(self.c_str(), self.c_str(), what, path.c_str(), nullptr);
    ::_exit(1);
  }
  ::close(channel[1]);
  char text[64] = {};
  DEEPER_CHECK(::read(channel[0], text, sizeof text - 1) > 0, "reading what the child prints");
  ::close(channel[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// From the start of a fresh process to its first answer from a plan, beside the latency that it settles to.
void first_answer(benchmark::State& state, const std::string& model, const Flags& flags) {
  const std::filesystem::path path = plan_of(model, flags);
  double sum = 0;
  for (auto _ : state) {
    const double start = now_ms();
    const double answered = std::stod(output_of_self("--first-answer-of", path));
    state.SetIterationTime((answered - start) * 1e-3);
    sum += answered - start;
  }
  Loaded loaded(path);
  std::vector<double> latencies;
  for (int run = 0; run < 15; ++run) {
    const double start = now_ms();
    loaded.run();
    latencies.push_back(now_ms() - start);
  }
  std::ranges::sort(latencies);
  state.counters["steady ms"] = latencies[latencies.size() / 2];
  state.counters["of steady"] = sum / static_cast<double>(state.iterations()) / latencies[latencies.size() / 2];
}

// Prints when the first answer of the plan was there, on the clock of all processes.
int print_first_answer(const char* plan) {
  const runtime::Program program(open_plan(plan, {}), backend::kernel_table());
  runtime::Session session(program, {});
  std::vector<std::vector<float>> in = tools::output_buffers(program.plan().inputs);
  std::vector<std::vector<float>> out = tools::output_buffers(program.plan().outputs);
  const auto in_views = tools::views(std::as_const(in));
  DEEPER_CHECK(session.run(in_views, tools::views(out)) == runtime::Status::ok, "running the plan");
  fmt::print("{:.6f}\n", now_ms());
  return 0;
}

// Peak resident memory of a fresh process that loads the plan and runs it, over what weights and arena take.
void peak_memory(benchmark::State& state, const std::string& model, const Flags& flags) {
  const std::filesystem::path path = plan_of(model, flags);
  for (auto _ : state) {
    const std::string text = output_of_self("--peak-memory-of", path);
    const runtime::Plan plan = runtime::load_plan(path);
    const double beyond =
        std::stod(text) - static_cast<double>(plan.arena_bytes) - static_cast<double>(plan.weights->bytes().size());
    state.counters["peak MB"] = std::stod(text) / 1e6;
    state.counters["beyond weights+arena MB"] = beyond / 1e6;
  }
}

int print_peak_memory(const char* plan) {
  Loaded loaded(plan);
  loaded.run();
  fmt::print("{}\n", status_bytes("VmHWM:"));
  return 0;
}

// Takes our own flags out of the list.
Flags take_flags(int& argc, char** argv) {
  Flags flags;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--kernels=")) {
      flags.kernels = argument.substr(10);
    } else if (argument.starts_with("--threads=")) {
      flags.threads = std::stoi(std::string(argument.substr(10)));
    } else if (argument.starts_with("--isa=")) {
      flags.isa = argument.substr(6);
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return flags;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--peak-memory-of") return print_peak_memory(argv[2]);
  if (argc == 3 && std::string_view(argv[1]) == "--first-answer-of") return print_first_answer(argv[2]);
  const Flags flags = take_flags(argc, argv);
  for (const deeper::frontend::ZooEntry& entry : deeper::frontend::zoo_entries()) {
    const std::string model(entry.name);
    benchmark::RegisterBenchmark(("latency/" + model).c_str(), latency, model, flags)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("not_convolution/" + model).c_str(), not_convolution_share, model, flags)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("profiling/" + model).c_str(), profiling_overhead, model, flags)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->Iterations(1);
    benchmark::RegisterBenchmark(("load/" + model).c_str(), load, model, flags)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("first_answer/" + model).c_str(), first_answer, model, flags)
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime()
        ->Iterations(10);
    benchmark::RegisterBenchmark(("memory/" + model).c_str(), peak_memory, model, flags)
        ->Unit(benchmark::kMillisecond)
        ->Iterations(1);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
