#include "tools/pass_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "ir/error.h"
#include "ir/evaluate.h"
#include "ir/match.h"
#include "ir/print.h"
#include "runtime/session.h"
#include "tools/compare.h"
#include "tools/step_bytes.h"
#include "tools/tensors.h"

namespace deeper::tools {
namespace {

constexpr double kLatencyTail = 0.025;  // of a 95 % interval
constexpr double kGainTail = 0.005;     // of a 99 % interval: a study asks the question some thirty times
constexpr int kFewestRounds = 8;        // for which a 99 % interval exists

using Tell = std::function<void(std::string_view)>;

// The graphs that pipelines lead to, each once.
class Builds {
 public:
  explicit Builds(const ir::Graph& imported) : imported_(imported) {}

  std::size_t index_of(const passes::Pipeline& pipeline) {
    ir::Graph graph = imported_;
    passes::run_passes(graph, pipeline);
    const auto [found, is_new] = by_text_.try_emplace(ir::print_summary(graph), builds_.size());
    if (is_new) builds_.push_back({.graph = std::move(graph)});
    return found->second;
  }
  std::vector<Build> take() { return std::move(builds_); }

 private:
  const ir::Graph& imported_;
  std::map<std::string, std::size_t> by_text_;
  std::vector<Build> builds_;
};

passes::Pipeline without_position(passes::Pipeline pipeline, std::size_t position) {
  pipeline.erase(pipeline.begin() + static_cast<std::ptrdiff_t>(position));
  return pipeline;
}

std::vector<Variant> make_variants(Builds& builds, const passes::Pipeline& pipeline, const Tell& tell) {
  tell("running the pipelines");
  const std::size_t none = builds.index_of({});
  std::vector<Variant> variants{{.selection = Selection::none, .pass = "", .build = none, .versus = none}};
  std::size_t before = none;
  passes::Pipeline prefix;
  for (const std::string& pass : pipeline) {
    prefix.push_back(pass);
    const std::size_t after = builds.index_of(prefix);
    variants.push_back({.selection = Selection::up_to, .pass = pass, .build = after, .versus = before});
    before = after;
  }
  const std::size_t all = before;
  for (std::size_t i = 0; i < pipeline.size(); ++i) {
    const std::size_t rest = builds.index_of(without_position(pipeline, i));
    variants.push_back({.selection = Selection::without, .pass = pipeline[i], .build = rest, .versus = all});
  }
  for (const std::string& pass : pipeline) {
    variants.push_back({.selection = Selection::alone, .pass = pass, .build = builds.index_of({pass}), .versus = none});
  }
  return variants;
}

void count(Build& build, const runtime::Plan& plan) {
  for (const ir::NodeId id : build.graph.order()) {
    const ir::Node& node = build.graph.node(id);
    ++build.nodes;
    if (std::holds_alternative<ir::Conv>(node.op)) ++build.convolutions;
    build.multiply_adds += ir::multiply_adds(build.graph, node, false);
  }
  build.steps = static_cast<std::int64_t>(plan.steps.size());
  for (std::size_t k = 0; k < plan.steps.size(); ++k) build.bytes_moved += bytes_of(plan, k).activations;
  build.weights_bytes = plan.weights ? plan.weights->bytes().size() : 0;
  build.arena_bytes = plan.arena_bytes;
}

// A build that can run.
struct Runner {
  Runner(runtime::Plan plan, const StudyOptions& options)
      : program(std::move(plan), backend::kernel_table()),
        pin(options.pin),
        session(program, {.pin_threads = pin}),
        out(output_buffers(program.plan().outputs)),
        out_views(views(out)) {}

  double run(std::span<const std::span<const float>> in) {
    const auto start = std::chrono::steady_clock::now();
    DEEPER_CHECK(session.run(in, out_views) == runtime::Status::ok, "running a plan");
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  // A run in a new arena, after one that warms what other builds have driven out of the caches.
  double time(std::span<const std::span<const float>> in) {
    session = runtime::Session(program, {.pin_threads = pin});
    run(in);
    return run(in);
  }

  runtime::Program program;
  bool pin;
  runtime::Session session;
  std::vector<std::vector<float>> out;
  std::vector<std::span<float>> out_views;
};

double difference(const std::vector<std::vector<float>>& got, const std::vector<ir::Array>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::vector<double> numbers(got[i].begin(), got[i].end());
    worst = std::max(worst, relative_l2(numbers, expected[i].data));
  }
  return worst;
}

std::vector<ir::Array> evaluate_oracle(const ir::Graph& graph, const std::vector<std::vector<float>>& in) {
  std::vector<ir::Array> inputs;
  for (std::size_t i = 0; i < in.size(); ++i) {
    inputs.push_back({graph.shape(graph.inputs()[i]), {in[i].begin(), in[i].end()}});
  }
  return ir::evaluate(graph, inputs);
}

void time_builds(std::vector<Build>& builds, std::vector<std::unique_ptr<Runner>>& runners,
                 std::span<const std::span<const float>> in, int runs, const Tell& tell) {
  std::vector<std::size_t> order(builds.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(1);
  for (int round = 0; round < runs; ++round) {
    tell(fmt::format("timing, round {} of {}", round + 1, runs));
    std::ranges::shuffle(order, random);
    for (const std::size_t i : order) builds[i].run_ms.push_back(runners[i]->time(in));
  }
  for (Build& build : builds) build.latency_ms = median_interval(build.run_ms, kLatencyTail);
}

// What `slow` takes longer than `fast` in the same round.
Interval difference_ms(const Build& slow, const Build& fast) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < slow.run_ms.size(); ++i) differences.push_back(slow.run_ms[i] - fast.run_ms[i]);
  return median_interval(differences, kGainTail);
}

void judge(Variant& variant, const Study& study) {
  if (!variant.changes_plan()) return;
  const Build& build = study.builds[variant.build];
  const Build& versus = study.builds[variant.versus];
  variant.gain_ms =
      variant.selection == Selection::without ? difference_ms(build, versus) : difference_ms(versus, build);
  variant.is_significant = study.runs >= kFewestRounds && !variant.gain_ms.contains(0) &&
                           std::abs(variant.gain_ms.median) > std::abs(study.control_ms.median);
}

}  // namespace

std::string_view to_string(Selection selection) {
  switch (selection) {
    case Selection::none:
      return "none";
    case Selection::up_to:
      return "cumulative";
    case Selection::without:
      return "without";
    case Selection::alone:
      return "alone";
  }
  return "none";
}

const Variant& Study::optimized() const {
  const Variant* last = &variants.front();
  for (const Variant& variant : variants) {
    if (variant.selection == Selection::up_to) last = &variant;
  }
  return *last;
}

std::vector<PassWorth> ranking(const Study& study) {
  std::vector<PassWorth> worths;
  for (const Variant& variant : study.variants) {
    if (variant.selection == Selection::up_to) worths.push_back({.pass = variant.pass, .up_to = &variant});
  }
  const auto place = [&](const Variant& variant, const Variant* PassWorth::*member) {
    for (PassWorth& worth : worths) {
      if (worth.pass == variant.pass && worth.*member == nullptr) {
        worth.*member = &variant;
        return;
      }
    }
  };
  for (const Variant& variant : study.variants) {
    if (variant.selection == Selection::without) place(variant, &PassWorth::without);
    if (variant.selection == Selection::alone) place(variant, &PassWorth::alone);
  }
  std::erase_if(worths, [](const PassWorth& w) {
    return !w.without->changes_plan() && !w.up_to->changes_plan() && !w.alone->changes_plan();
  });
  std::ranges::stable_sort(worths, std::ranges::greater{},
                           [](const PassWorth& w) { return w.without->gain_ms.median; });
  return worths;
}

Study study_passes(const frontend::Imported& imported, const OpenOptions& options, const StudyOptions& study_options,
                   const Tell& tell) {
  Builds graphs(imported.graph);
  Study study{.model = imported.graph.name, .runs = study_options.runs};
  study.variants = make_variants(graphs, options.pipeline.value_or(passes::default_pipeline()), tell);
  study.builds = graphs.take();
  study.builds.push_back({.graph = study.builds[study.optimized().build].graph});

  std::vector<std::unique_ptr<Runner>> runners;
  frontend::Imported variant{.graph = {}, .inputs = imported.inputs, .outputs = imported.outputs};
  for (Build& build : study.builds) {
    tell(fmt::format("compiling {} of {}", runners.size() + 1, study.builds.size()));
    variant.graph = build.graph;
    runners.push_back(std::make_unique<Runner>(compile_imported(variant, options), study_options));
    count(build, runners.back()->program.plan());
  }

  const runtime::Plan& plan = runners.front()->program.plan();
  study.threads = plan.threads;
  const std::vector<std::vector<float>> in = seeded_inputs(plan.inputs, 1);
  const std::vector<std::span<const float>> in_views = views(in);
  tell("evaluating the oracle");
  const std::vector<ir::Array> expected = evaluate_oracle(imported.graph, in);
  for (std::size_t i = 0; i < runners.size(); ++i) {
    runners[i]->run(in_views);
    study.builds[i].difference = difference(runners[i]->out, expected);
  }
  time_builds(study.builds, runners, in_views, study_options.runs, tell);
  study.control_ms = difference_ms(study.builds.back(), study.builds[study.optimized().build]);
  for (Variant& v : study.variants) judge(v, study);
  return study;
}

}  // namespace deeper::tools
