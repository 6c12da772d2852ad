#include "tools/profile.h"

#include <algorithm>
#include <chrono>

#include "ir/error.h"
#include "tools/statistics.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

using Clock = std::chrono::steady_clock;

double operations(const runtime::Step& step) { return 2 * static_cast<double>(step.multiply_adds); }

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

StepProfile describe(const runtime::Plan& plan, std::size_t number, double ms, const MachineRates& machine,
                     const PassesByOrigin& touched) {
  const runtime::Step& step = plan.steps[number];
  StepProfile profile{.step = &step, .ms = ms, .bytes = bytes_of(plan, number), .passes = {}};
  const double roof_ms = 1e-6 * std::max(operations(step) / machine.gflops,
                                         static_cast<double>(profile.bytes.total()) / machine.gbytes_per_second);
  const double taken = std::max(ms, 1e-9);
  profile.gflops = 1e-6 * operations(step) / taken;
  profile.of_peak = profile.gflops / machine.gflops;
  profile.of_roof = roof_ms / taken;
  for (const std::string& origin : step.origins) {
    const auto found = touched.find(origin);
    if (found != touched.end()) profile.passes.insert(found->second.begin(), found->second.end());
  }
  return profile;
}

}  // namespace

double StepProfile::intensity() const {
  return operations(*step) / static_cast<double>(std::max<std::uint64_t>(1, bytes.total()));
}

const StepProfile* Profile::furthest_from_roof() const {
  const auto lost = [](const StepProfile& s) { return s.ms * (1 - s.of_roof); };
  return steps.empty() ? nullptr : &*std::ranges::max_element(steps, {}, lost);
}

Profile measure_profile(const runtime::Program& program, const ProfileOptions& options, const PassesByOrigin& touched) {
  const runtime::Plan& plan = program.plan();
  runtime::Session session(program, {.pin_threads = options.pin});
  const auto in = seeded_inputs(plan.inputs, 1);
  auto out = output_buffers(plan.outputs);
  const auto in_views = views(in);
  const auto out_views = views(out);
  std::vector<std::vector<double>> step_ms(plan.steps.size());
  std::vector<double> whole_ms;
  std::vector<double> added_ms;
  std::vector<std::int64_t> ns(plan.steps.size());
  constexpr int kWarmup = 2;
  for (int i = 0; i < options.runs + kWarmup; ++i) {
    auto start = Clock::now();
    DEEPER_CHECK(session.run(in_views, out_views) == runtime::Status::ok, "running the plan");
    const double whole = ms_since(start);
    start = Clock::now();
    DEEPER_CHECK(session.run_profiled(in_views, out_views, ns) == runtime::Status::ok, "profiling the plan");
    const double profiled = ms_since(start);
    if (i < kWarmup) continue;
    whole_ms.push_back(whole);
    added_ms.push_back(profiled - whole);
    for (std::size_t k = 0; k < ns.size(); ++k) step_ms[k].push_back(static_cast<double>(ns[k]) / 1e6);
  }
  Profile profile;
  profile.machine = measure_machine(plan.isa, plan.threads);
  profile.latency_ms = median(whole_ms);
  for (double& added : added_ms) added /= profile.latency_ms;
  profile.overhead = median_interval(added_ms, 0.025);
  profile.runs = options.runs;
  double sum = 0;
  for (std::size_t k = 0; k < plan.steps.size(); ++k) {
    profile.steps.push_back(describe(plan, k, median(step_ms[k]), profile.machine, touched));
    sum += profile.steps.back().ms;
  }
  for (StepProfile& step : profile.steps) step.share = step.ms / sum;
  return profile;
}

}  // namespace deeper::tools
