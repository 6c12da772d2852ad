#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/import.h"
#include "tools/open.h"
#include "tools/statistics.h"

// What each pass is worth: the model compiled with several pipelines and timed side by side.
namespace deeper::tools {

// How a pipeline relates to the whole one: no pass; all up to and including one; all but one; only one.
enum class Selection : std::uint8_t { none, up_to, without, alone };
std::string_view to_string(Selection selection);  // "none", "cumulative", "without", "alone"

// A graph that some pipelines lead to, compiled and measured.
struct Build {
  ir::Graph graph;
  std::int64_t nodes = 0;
  std::int64_t convolutions = 0;
  std::int64_t multiply_adds = 0;
  std::int64_t steps = 0;
  std::uint64_t bytes_moved = 0;  // activations that steps read and write
  std::uint64_t weights_bytes = 0;
  std::uint64_t arena_bytes = 0;
  std::vector<double> run_ms{};  // whole latency in every round
  Interval latency_ms{};         // 95 %
  double difference = 0;         // largest relative L2 difference of an output from the unoptimized graph's oracle
};

struct Variant {
  Selection selection = Selection::none;
  std::string pass;        // "" for Selection::none
  std::size_t build = 0;   // into Study::builds
  std::size_t versus = 0;  // the build this one is compared with: that of the same pipeline with, or without, `pass`
  // What the pass gains, positive where it makes the model faster: the median over the rounds of the difference
  // between the two builds in the same round, with its 99 % interval. All zero where both are one build.
  Interval gain_ms{};
  bool changes_plan() const { return build != versus; }
  // Whether the gain tells itself from the noise: its interval leaves out 0, and it is more than the control shows.
  // Never after fewer rounds than an interval needs.
  bool is_significant = false;
};
struct Study {
  std::string model;
  int threads = 1;
  int runs = 0;
  std::vector<Build> builds{};      // the last one is the control: the optimized graph compiled once more
  Interval control_ms{};            // what the control takes longer than its twin: 0 but for noise
  std::vector<Variant> variants{};  // none, then up_to, without and alone for every pass, in the order of the pipeline
  const Variant& unoptimized() const { return variants.front(); }
  // The whole pipeline: the last of up_to, or none where the pipeline is empty.
  const Variant& optimized() const;
};

// The three variants of one pass.
struct PassWorth {
  std::string pass;
  const Variant* without = nullptr;
  const Variant* up_to = nullptr;
  const Variant* alone = nullptr;
};
// The passes that change any plan, those first that the whole pipeline loses most without.
std::vector<PassWorth> ranking(const Study& study);

struct StudyOptions {
  int runs = 40;  // rounds; every round times every build
  bool pin = false;
};

// Runs the pipeline of `options` in all its variants on a copy of the imported graph, compiles what differs, compares
// outputs with the oracle of the imported graph on seeded inputs, and times the builds in one process: rounds in which
// every build gets a new session (so that where its arena lies becomes noise that intervals show) and runs twice, the
// second time timed, in an order drawn anew for every round. `progress` is told what goes on. Throws ModelError.
Study study_passes(const frontend::Imported& imported, const OpenOptions& options, const StudyOptions& study,
                   const std::function<void(std::string_view)>& progress);

}  // namespace deeper::tools
