// deeper profile: where the time of a run goes, step by step.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backend/compile.h"
#include "ir/error.h"
#include "ir/print.h"
#include "runtime/session.h"
#include "tools/commands.h"
#include "tools/files.h"
#include "tools/model_flags.h"
#include "tools/progress.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

struct ProfileFlags {
  ModelFlags model;
  int runs = 20;
  bool pin = false;
  bool json = false;
  std::filesystem::path trace;
};

struct StepProfile {
  const runtime::Step* step = nullptr;
  double ms = 0;  // median over the runs
  double gflops = 0;
  double share = 0;
  std::uint64_t bytes = 0;  // read and written
};

struct Profile {
  std::vector<StepProfile> steps;
  double latency_ms = 0;  // median of whole runs that were not profiled
};

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

std::uint64_t bytes_moved(const runtime::Step& step) {
  std::uint64_t bytes = 4 * static_cast<std::uint64_t>(ir::element_count(step.result.shape));
  for (const runtime::Operand& operand : step.operands) {
    if (operand.space != runtime::Space::none)
      bytes += 4 * static_cast<std::uint64_t>(ir::element_count(operand.shape));
  }
  return bytes;
}

// Whole runs and profiled runs alternate, so that drift meets both.
Profile measure(const runtime::Program& program, const ProfileFlags& flags) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {.pin_threads = flags.pin});
  const auto in = seeded_inputs(plan.inputs, 1);
  auto out = output_buffers(plan.outputs);
  const auto in_views = views(in);
  const auto out_views = views(out);
  std::vector<std::vector<double>> step_ms(plan.steps.size());
  std::vector<double> whole_ms;
  std::vector<std::int64_t> ns(plan.steps.size());
  for (int i = 0; i < flags.runs + 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    DEEPER_CHECK(session.run(in_views, out_views) == runtime::Status::ok, "running the plan");
    const std::chrono::duration<double, std::milli> whole = std::chrono::steady_clock::now() - start;
    DEEPER_CHECK(session.run_profiled(in_views, out_views, ns) == runtime::Status::ok, "profiling the plan");
    if (i < 2) continue;  // warm-up
    whole_ms.push_back(whole.count());
    for (std::size_t k = 0; k < ns.size(); ++k) step_ms[k].push_back(static_cast<double>(ns[k]) / 1e6);
  }
  Profile profile;
  profile.latency_ms = median(whole_ms);
  double sum = 0;
  for (std::size_t k = 0; k < plan.steps.size(); ++k) {
    const runtime::Step& step = plan.steps[k];
    const double ms = median(step_ms[k]);
    sum += ms;
    profile.steps.push_back(
        {&step, ms, 2e-6 * static_cast<double>(step.multiply_adds) / std::max(ms, 1e-9), 0, bytes_moved(step)});
  }
  for (StepProfile& step : profile.steps) step.share = step.ms / sum;
  return profile;
}

struct Sum {
  int steps = 0;
  double ms = 0;
  double share = 0;
};

// Sums by what `key` gives, largest first.
template <typename Key>
std::vector<std::pair<std::string, Sum>> sums_by(const Profile& profile, Key key) {
  std::map<std::string, Sum> sums;
  for (const StepProfile& step : profile.steps) {
    Sum& sum = sums[key(*step.step)];
    ++sum.steps;
    sum.ms += step.ms;
    sum.share += step.share;
  }
  std::vector<std::pair<std::string, Sum>> sorted(sums.begin(), sums.end());
  std::ranges::sort(sorted, std::ranges::greater{}, [](const auto& entry) { return entry.second.ms; });
  return sorted;
}

std::string module_of(const runtime::Step& step) {
  const std::size_t slash = step.name.find('/');
  return slash == std::string::npos ? std::string("-") : step.name.substr(0, slash);
}

void print_table(const runtime::Plan& plan, const Profile& profile) {
  fmt::print("{:>8} {:>6} {:>9} {:>9}  {:<10} {:<34} {:<20} {}\n", "ms", "share", "GFLOP/s", "MB", "op", "kernel",
             "result", "name");
  for (const StepProfile& s : profile.steps) {
    fmt::print("{:8.3f} {:5.1f}% {:9.1f} {:9.2f}  {:<10} {:<34} {:<20} {}\n", s.ms, 100 * s.share, s.gflops,
               static_cast<double>(s.bytes) / 1e6, ir::op_name(s.step->op),
               s.step->implementation.empty() ? s.step->kernel : s.step->kernel + " " + s.step->implementation,
               fmt::format("{}", fmt::join(s.step->result.shape, "x")), s.step->name);
  }
  fmt::print("\nby op\n");
  for (const auto& [op, sum] :
       sums_by(profile, [](const runtime::Step& s) { return std::string(ir::op_name(s.op)); })) {
    fmt::print("{:8.3f} {:5.1f}%  {:<10} {} step(s)\n", sum.ms, 100 * sum.share, op, sum.steps);
  }
  fmt::print("\nby module\n");
  for (const auto& [module, sum] : sums_by(profile, module_of)) {
    fmt::print("{:8.3f} {:5.1f}%  {:<16} {} step(s)\n", sum.ms, 100 * sum.share, module, sum.steps);
  }
  fmt::print("\n{:.3f} ms a run (median), {} thread(s), {} steps\n", profile.latency_ms, plan.threads,
             plan.steps.size());
}

nlohmann::ordered_json to_json(const runtime::Plan& plan, const Profile& profile) {
  nlohmann::ordered_json report;
  report["model"] = plan.model;
  report["threads"] = plan.threads;
  report["latency_ms"] = profile.latency_ms;
  for (const StepProfile& s : profile.steps) {
    report["steps"].push_back({{"name", s.step->name},
                               {"origins", s.step->origins},
                               {"op", ir::print_op(s.step->op)},
                               {"kernel", s.step->kernel},
                               {"implementation", s.step->implementation},
                               {"shape", s.step->result.shape},
                               {"ms", s.ms},
                               {"share", s.share},
                               {"multiply_adds", s.step->multiply_adds},
                               {"gflops", s.gflops},
                               {"bytes", s.bytes}});
  }
  return report;
}

// Chrome's and Perfetto's trace event format: one complete event per step.
std::string to_trace(const Profile& profile) {
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  double at_us = 0;
  for (const StepProfile& s : profile.steps) {
    events.push_back(
        {{"name", s.step->name.empty() ? s.step->result.value : s.step->name},
         {"cat", ir::op_name(s.step->op)},
         {"ph", "X"},
         {"ts", at_us},
         {"dur", 1000 * s.ms},
         {"pid", 1},
         {"tid", 1},
         {"args", {{"kernel", s.step->kernel}, {"implementation", s.step->implementation}, {"gflops", s.gflops}}}});
    at_us += 1000 * s.ms;
  }
  return nlohmann::ordered_json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump(1) + "\n";
}

void profile_model(const ProfileFlags& flags) {
  Progress progress;
  progress.show("loading");
  const runtime::Program program(open_plan(flags.model.model(), flags.model.options()), backend::kernel_table());
  progress.show("profiling");
  const Profile profile = measure(program, flags);
  if (!flags.trace.empty()) write_file(flags.trace, to_trace(profile));
  if (flags.json) {
    fmt::print("{}\n", to_json(program.plan(), profile).dump(1));
  } else {
    print_table(program.plan(), profile);
  }
}

}  // namespace

void add_profile_command(CLI::App& app) {
  auto flags = std::make_shared<ProfileFlags>();
  CLI::App* command = app.add_subcommand("profile", "show where the time of a run goes, step by step");
  flags->model.add_to(*command, "--output");
  command->add_option("--runs", flags->runs, "profiled runs")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_flag("--pin", flags->pin, "pin every thread to a CPU");
  command->add_option("--trace", flags->trace, "write a Chrome / Perfetto trace to this file");
  command->add_flag("--json", flags->json, "print one JSON object");
  command->callback([flags] { profile_model(*flags); });
}

}  // namespace deeper::tools
