#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/graph_diff.h"
#include "tools/machine_rates.h"
#include "tools/statistics.h"
#include "tools/step_bytes.h"

namespace deeper::tools {

struct StepProfile {
  const runtime::Step* step = nullptr;
  double ms = 0;  // median over the runs
  double share = 0;
  double gflops = 0;
  double of_peak = 0;  // gflops over the machine's; above 1 where a fast algorithm multiplies less than the definition
  double of_roof = 0;  // the least time the machine's rates allow, over ms; above 1 too where data comes from caches
  StepBytes bytes;
  std::set<std::string> passes;  // that made or changed what it stands for
  double intensity() const;      // operations per byte
};

struct Profile {
  std::vector<StepProfile> steps;
  MachineRates machine;
  double latency_ms = 0;  // median of whole runs that were not profiled
  Interval overhead;      // what profiling adds to it: 0.01 is 1 %; 95 %
  int runs = 0;
  const StepProfile* furthest_from_roof() const;  // the step that loses most time against its roof; null without steps
};

struct ProfileOptions {
  int runs = 20;
  bool pin = false;
};

// Profiled and unprofiled runs in turn, so that drift meets both.
Profile measure_profile(const runtime::Program& program, const ProfileOptions& options, const PassesByOrigin& touched);

// The roofline (Williams, Waterman and Patterson 2009) as an SVG picture: a point per step that multiplies.
std::string roofline_svg(const Profile& profile);

}  // namespace deeper::tools
