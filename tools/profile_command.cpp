// deeper profile: where the time of a run goes, step by step.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/compile.h"
#include "ir/error.h"
#include "ir/print.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tools/commands.h"
#include "tools/files.h"
#include "tools/model_flags.h"
#include "tools/profile.h"
#include "tools/progress.h"

namespace deeper::tools {
namespace {

struct ProfileFlags {
  ModelFlags model;
  ProfileOptions profile;
  bool json = false;
  std::filesystem::path trace;
  std::filesystem::path roofline;
};

struct Sum {
  int steps = 0;
  double ms = 0;
  double share = 0;
};

// Sums by each of the names that `keys` gives, largest first.
template <typename Keys>
std::vector<std::pair<std::string, Sum>> sums_by(const Profile& profile, Keys keys) {
  std::map<std::string, Sum> sums;
  for (const StepProfile& step : profile.steps) {
    for (const std::string& key : keys(step)) {
      Sum& sum = sums[key];
      ++sum.steps;
      sum.ms += step.ms;
      sum.share += step.share;
    }
  }
  std::vector<std::pair<std::string, Sum>> sorted(sums.begin(), sums.end());
  std::ranges::sort(sorted, std::ranges::greater{}, [](const auto& entry) { return entry.second.ms; });
  return sorted;
}

struct Grouping {
  std::string_view name;
  std::string_view remark;
  std::vector<std::pair<std::string, Sum>> sums;
};

std::vector<Grouping> groupings(const Profile& profile) {
  const auto op = [](const StepProfile& s) { return std::set{std::string(ir::op_name(s.step->op))}; };
  const auto module = [](const StepProfile& s) {
    const std::size_t slash = s.step->name.find('/');
    return std::set{slash == std::string::npos ? std::string("-") : s.step->name.substr(0, slash)};
  };
  const auto passes = [](const StepProfile& s) { return s.passes; };
  return {{"op", "", sums_by(profile, op)},
          {"module", "", sums_by(profile, module)},
          {"pass", " (steps that it made or changed; one counts for each)", sums_by(profile, passes)}};
}

double mega(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

std::string kernel_of(const runtime::Step& step) {
  return step.implementation.empty() ? step.kernel : step.kernel + " " + step.implementation;
}

// The step's name, and the nodes of the source model that it stands for where those are others.
std::string name_and_origins(const runtime::Step& step) {
  if (step.origins.empty() || (step.origins.size() == 1 && step.origins.front() == step.name)) return step.name;
  const std::size_t slash = step.name.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : step.name.substr(0, slash + 1);
  std::vector<std::string> names;
  for (const std::string& origin : step.origins) {
    const bool inside = !folder.empty() && origin.starts_with(folder);
    names.push_back(inside ? ".../" + origin.substr(folder.size()) : origin);
  }
  return fmt::format("{} from {}", step.name, fmt::join(names, ", "));
}

void print_steps(const Profile& profile) {
  std::size_t width = 6;
  for (const StepProfile& s : profile.steps) width = std::max(width, kernel_of(*s.step).size());
  fmt::print("{:>8} {:>6} {:>9} {:>5} {:>5} {:>8} {:>8}  {:<10} {:<{}} {:<14} {}\n", "ms", "share", "GFLOP/s", "peak",
             "roof", "MB", "weights", "op", "kernel", width, "result", "name and source nodes");
  for (const StepProfile& s : profile.steps) {
    fmt::print("{:8.3f} {:5.1f}% {:9.1f} {:4.0f}% {:4.0f}% {:8.2f} {:8.2f}  {:<10} {:<{}} {:<14} {}\n", s.ms,
               100 * s.share, s.gflops, 100 * s.of_peak, 100 * s.of_roof, mega(s.bytes.activations),
               mega(s.bytes.weights), ir::op_name(s.step->op), kernel_of(*s.step), width,
               fmt::format("{}", fmt::join(s.step->result.shape, "x")), name_and_origins(*s.step));
  }
}

void print_profile(const runtime::Plan& plan, const Profile& profile) {
  print_steps(profile);
  for (const Grouping& grouping : groupings(profile)) {
    if (!grouping.sums.empty()) fmt::print("\nby {}{}\n", grouping.name, grouping.remark);
    for (const auto& [name, sum] : grouping.sums) {
      fmt::print("{:8.3f} {:5.1f}%  {:<32} {} step(s)\n", sum.ms, 100 * sum.share, name, sum.steps);
    }
  }
  if (const StepProfile* furthest = profile.furthest_from_roof()) {
    fmt::print("\nfurthest from the roofline: {} ({}) loses {:.3f} of {:.3f} ms\n", furthest->step->name,
               kernel_of(*furthest->step), furthest->ms * (1 - furthest->of_roof), furthest->ms);
  }
  fmt::print("the roofline: {:.0f} GFLOP/s from registers, {:.1f} GB/s from memory on {} thread(s), measured now\n",
             profile.machine.gflops, profile.machine.gbytes_per_second, plan.threads);
  fmt::print("{:.3f} ms a run (median of {}), {} steps; profiling adds {:.2f} % [{:.2f}, {:.2f}]\n", profile.latency_ms,
             profile.runs, plan.steps.size(), 100 * profile.overhead.median, 100 * profile.overhead.low,
             100 * profile.overhead.high);
}

nlohmann::ordered_json to_json(const runtime::Plan& plan, const Profile& profile) {
  nlohmann::ordered_json report;
  report["model"] = plan.model;
  report["threads"] = plan.threads;
  report["latency_ms"] = profile.latency_ms;
  report["overhead"] = profile.overhead.median;
  report["overhead_interval"] = {profile.overhead.low, profile.overhead.high};
  report["machine"] = {{"gflops", profile.machine.gflops}, {"gbytes_per_second", profile.machine.gbytes_per_second}};
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
                               {"of_peak", s.of_peak},
                               {"of_roof", s.of_roof},
                               {"bytes", s.bytes.activations},
                               {"weights_bytes", s.bytes.weights},
                               {"passes", s.passes}});
  }
  for (const Grouping& grouping : groupings(profile)) {
    nlohmann::ordered_json& sums = report[fmt::format("by_{}", grouping.name)] = nlohmann::ordered_json::array();
    for (const auto& [name, sum] : grouping.sums) {
      sums.push_back({{"name", name}, {"steps", sum.steps}, {"ms", sum.ms}, {"share", sum.share}});
    }
  }
  return report;
}

// Chrome's and Perfetto's trace event format: one complete event per step.
std::string to_trace(const Profile& profile) {
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  double at_us = 0;
  for (const StepProfile& s : profile.steps) {
    events.push_back({{"name", s.step->name.empty() ? s.step->result.value : s.step->name},
                      {"cat", ir::op_name(s.step->op)},
                      {"ph", "X"},
                      {"ts", at_us},
                      {"dur", 1000 * s.ms},
                      {"pid", 1},
                      {"tid", 1},
                      {"args",
                       {{"kernel", s.step->kernel},
                        {"implementation", s.step->implementation},
                        {"origins", s.step->origins},
                        {"gflops", s.gflops},
                        {"bytes", s.bytes.activations},
                        {"weights_bytes", s.bytes.weights}}}});
    at_us += 1000 * s.ms;
  }
  return nlohmann::ordered_json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump(1) + "\n";
}

// The plan, and for a model which passes touched what.
runtime::Plan open_recorded(const ProfileFlags& flags, PassesByOrigin& touched) {
  const OpenOptions options = flags.model.options();
  if (runtime::is_plan_file(flags.model.model())) return open_plan(flags.model.model(), options);
  frontend::Imported imported = frontend::import_model(flags.model.model(), options.import);
  touched = run_passes_recorded(imported.graph, options.pipeline.value_or(passes::default_pipeline()));
  return compile_imported(imported, options);
}

void profile_model(const ProfileFlags& flags) {
  require_writable(flags.trace);
  require_writable(flags.roofline);
  Progress progress;
  progress.show("loading");
  PassesByOrigin touched;
  const runtime::Program program(open_recorded(flags, touched), backend::kernel_table());
  progress.show("profiling");
  const Profile profile = measure_profile(program, flags.profile, touched);
  if (!flags.trace.empty()) write_file(flags.trace, to_trace(profile));
  if (!flags.roofline.empty()) write_file(flags.roofline, roofline_svg(profile));
  if (flags.json) {
    fmt::print("{}\n", to_json(program.plan(), profile).dump(1));
  } else {
    print_profile(program.plan(), profile);
  }
}

}  // namespace

void add_profile_command(CLI::App& app) {
  auto flags = std::make_shared<ProfileFlags>();
  CLI::App* command = app.add_subcommand("profile", "show where the time of a run goes, step by step");
  flags->model.add_to(*command, "--output");
  command->add_option("--runs", flags->profile.runs, "runs, each of which is timed plain and profiled")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--pin", flags->profile.pin, "pin every thread to a CPU");
  command->add_option("--trace", flags->trace, "write a Chrome / Perfetto trace to this file");
  command->add_option("--roofline", flags->roofline, "draw the roofline to this SVG file");
  command->add_flag("--json", flags->json, "print one JSON object");
  command->callback([flags] { profile_model(*flags); });
}

}  // namespace deeper::tools
