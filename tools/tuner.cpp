#include "tools/tuner.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>

#include "ir/error.h"
#include "runtime/plan.h"
#include "runtime/session.h"

namespace deeper {
namespace {

using backend::CompiledConv;
using backend::CompileOptions;
using backend::ConvChoice;
using backend::ConvRecords;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kHeldBytes = std::uint64_t{2} << 30;  // of weights, by the plans that run in turn

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// What a plan does other than the cost model would: the convolutions of one colour take their way number `way`.
struct Change {
  std::size_t color = 0;
  std::size_t way = 0;
};

// Where the weights and the arena of whichever plan runs lie, since memory is not equally fast everywhere.
class Stage final : public runtime::Weights {
 public:
  Stage(std::size_t weights, std::size_t arena)
      : weights_((weights + kHugePage - 1) / kHugePage * kHugePage),
        size_(weights_ + arena),
        bytes_(static_cast<std::byte*>(::operator new[](size_, std::align_val_t{kHugePage}))) {
    madvise(bytes_.get(), size_, MADV_HUGEPAGE);
  }
  std::span<const std::byte> bytes() const override { return {bytes_.get(), weights_}; }
  std::span<std::byte> arena() { return {bytes_.get() + weights_, size_ - weights_}; }
  void put(std::span<const std::byte> weights) { std::ranges::copy(weights, bytes_.get()); }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  struct Delete {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{kHugePage}); }
  };
  std::size_t weights_;
  std::size_t size_;
  std::unique_ptr<std::byte[], Delete> bytes_;
};

// A plan and, while it takes its turn, the times of its steps.
struct Variant {
  Change change;
  std::vector<CompiledConv> convs;
  runtime::Plan plan;
  std::optional<runtime::Program> program;
  std::optional<runtime::Session> session;
  std::vector<std::vector<std::int64_t>> step_ns;  // of each run

  std::span<const std::byte> weights() const { return plan.weights->bytes(); }
  void begin(const std::shared_ptr<Stage>& stage) {
    runtime::Plan staged = plan;
    staged.weights = stage;
    program.emplace(std::move(staged), backend::kernel_table());
    session.emplace(*program, runtime::SessionOptions{.pin_threads = true, .memory = stage->arena()});
    step_ns.clear();
  }
};

// Numbers for the ports of all plans of a graph.
struct Ports {
  std::vector<std::vector<float>> in;
  std::vector<std::vector<float>> out;
  std::vector<std::span<const float>> in_views;
  std::vector<std::span<float>> out_views;

  explicit Ports(const runtime::Plan& plan) {
    for (const runtime::Port& port : plan.inputs) {
      std::vector<float>& values = in.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 3);
    }
    for (const runtime::Port& port : plan.outputs) {
      out.emplace_back(static_cast<std::size_t>(ir::element_count(port.type.shape)));
    }
    in_views.assign(in.begin(), in.end());
    out_views.assign(out.begin(), out.end());
  }
};

// Times the second of two runs of a plan: the caches are to hold what this plan leaves in them, not what others did.
void run_twice(Variant& variant, Stage& stage, Ports& ports) {
  stage.put(variant.weights());
  std::vector<std::int64_t> ns(variant.plan.steps.size());
  for (int run = 0; run < 2; ++run) {
    const runtime::Status status = variant.session->run_profiled(ports.in_views, ports.out_views, ns);
    DEEPER_CHECK(status == runtime::Status::ok, "running a plan to measure it");
  }
  variant.step_ns.push_back(std::move(ns));
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Median times of the convolutions.
std::vector<double> conv_ns(const Variant& variant) {
  std::vector<double> result;
  for (const CompiledConv& conv : variant.convs) {
    std::vector<double> times;
    for (const std::vector<std::int64_t>& run : variant.step_ns) {
      double sum = 0;
      for (std::size_t step = conv.first_step; step < conv.last_step; ++step) sum += static_cast<double>(run[step]);
      times.push_back(sum);
    }
    result.push_back(median(std::move(times)));
  }
  return result;
}

// The measuring of one graph.
class Measurement {
 public:
  Measurement(const ir::Graph& graph, const backend::Target& target, const CompileOptions& options, int runs,
              const ProgressReport& report)
      : graph_(graph), target_(target), options_(options), runs_(runs), report_(report) {
    options_.records = nullptr;
    options_.pools_with_convs = false;  // whose time is not that of the convolution
  }

  std::vector<MeasuredConv> take() {
    Variant picks = compiled({});
    find_convs(picks);
    paint();
    const std::vector<Change> changes = all_changes();
    const std::uint64_t held = picks.weights().size() * 2;
    const std::size_t at_once = std::max<std::size_t>(kHeldBytes / std::max<std::uint64_t>(held, 1), 3) - 1;
    for (std::size_t k = 0; k < changes.size(); k += at_once) {
      const std::span<const Change> now = std::span(changes).subspan(k, std::min(at_once, changes.size() - k));
      const double begun = static_cast<double>(k) / static_cast<double>(changes.size());
      const double part = static_cast<double>(now.size()) / static_cast<double>(changes.size());
      std::vector<Variant> others;
      for (const Change& change : now) {
        const double share = static_cast<double>(others.size()) / static_cast<double>(now.size());
        tell("compiling", begun + part * kCompileShare * share);
        others.push_back(compiled(change));
      }
      measure(picks, others, begun + part * kCompileShare, part * (1 - kCompileShare));
    }
    settle();
    return std::move(convs_);
  }

 private:
  static constexpr std::size_t kColors = 3;
  static constexpr double kCompileShare = 0.3;
  static constexpr double kSeconds = 20;

  void tell(std::string_view what, double share) const {
    if (report_) report_(what, share);
  }

  // Of a convolution with fewer ways those behind the last are the first again.
  std::size_t way_of(std::size_t conv, const Change& change) const {
    return colors_[conv] == change.color ? change.way % convs_[conv].choices.size() : 0;
  }

  Variant compiled(const Change& change) const {
    CompileOptions options = options_;
    auto records = std::make_shared<ConvRecords>();
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      const ConvChoice& choice = convs_[i].choices[way_of(i, change)].choice;
      (*records)[convs_[i].key] = {.algorithm = std::string(choice.algorithm->name), .tuning = choice.candidate.tuning};
    }
    options.records = std::move(records);
    std::vector<CompiledConv> convs;
    runtime::Plan plan = backend::compile(graph_, target_, options, convs);
    return {.change = change,
            .convs = std::move(convs),
            .plan = std::move(plan),
            .program = {},
            .session = {},
            .step_ns = {}};
  }

  void find_convs(const Variant& first) {
    for (const CompiledConv& conv : first.convs) {
      const std::string key = backend::record_key(conv.problem, options_);
      const auto known = std::ranges::find(convs_, key, &MeasuredConv::key);
      of_place_.push_back(static_cast<std::size_t>(known - convs_.begin()));
      if (known != convs_.end()) {
        ++known->places;
        continue;
      }
      MeasuredConv measured{.key = key, .name = conv.name, .problem = conv.problem, .places = 1, .choices = {}};
      for (ConvChoice& choice : backend::conv_choices(conv.problem, target_, options_)) {
        measured.choices.push_back({.choice = std::move(choice)});
      }
      convs_.push_back(std::move(measured));
    }
    times_.resize(convs_.size());
    for (std::size_t i = 0; i < convs_.size(); ++i) times_[i].resize(convs_[i].choices.size());
  }

  // Gives convolutions that are near one another different colours, as far as there are enough.
  void paint() {
    constexpr std::size_t kNear = 2;
    colors_.assign(convs_.size(), kColors);
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      std::array<std::size_t, kColors + 1> seen{};
      for (std::size_t a = 0; a < of_place_.size(); ++a) {
        for (std::size_t b = a + 1; b <= a + kNear && b < of_place_.size(); ++b) {
          const std::size_t weight = kNear + 1 - (b - a);
          if (of_place_[a] == i) seen[colors_[of_place_[b]]] += weight;
          if (of_place_[b] == i) seen[colors_[of_place_[a]]] += weight;
        }
      }
      colors_[i] = static_cast<std::size_t>(std::ranges::min_element(seen.begin(), seen.end() - 1) - seen.begin());
    }
  }

  std::vector<Change> all_changes() const {
    std::vector<Change> changes;
    for (std::size_t color = 0; color < kColors; ++color) {
      std::size_t ways = 1;
      for (std::size_t i = 0; i < convs_.size(); ++i) {
        if (colors_[i] == color) ways = std::max(ways, convs_[i].choices.size());
      }
      for (std::size_t way = 1; way < ways; ++way) changes.push_back({.color = color, .way = way});
    }
    if (changes.empty()) changes.emplace_back();  // the picks are measured all the same
    return changes;
  }

  // Runs the plans in turn and keeps the median times of their convolutions.
  void measure(Variant& picks, std::span<Variant> others, double begun, double part) {
    std::vector<Variant*> turn{&picks};
    for (Variant& other : others) turn.push_back(&other);
    std::size_t weights = 0;
    std::size_t arena = 0;
    for (const Variant* variant : turn) {
      weights = std::max(weights, variant->weights().size());
      arena = std::max<std::size_t>(arena, variant->plan.arena_bytes);
    }
    const auto stage = std::make_shared<Stage>(weights, arena);
    Ports ports(picks.plan);
    for (Variant* variant : turn) variant->begin(stage);
    const auto run_all = [&] {
      const auto start = Clock::now();
      for (Variant* variant : turn) run_twice(*variant, *stage, ports);
      return seconds_since(start);
    };
    const double round_seconds = run_all();
    for (Variant* variant : turn) variant->step_ns.clear();
    const int runs = runs_ > 0 ? runs_ : static_cast<int>(std::clamp(kSeconds * part / round_seconds, 7.0, 41.0));
    for (int run = 0; run < runs; ++run) {
      run_all();
      tell("measuring", begun + part * (run + 1) / runs);
    }
    const std::vector<double> picked = conv_ns(picks);
    for (const Variant* variant : turn) keep_times(*variant, picked);
  }

  // The times of a plan's convolutions, at the speed of the plan of picks: by what else runs, wide vectors or tiles,
  // the clock is another, which those tell that have not changed.
  void keep_times(const Variant& variant, std::span<const double> picked) {
    const std::vector<double> ns = conv_ns(variant);
    std::vector<double> ratios;
    for (std::size_t place = 0; place < ns.size(); ++place) {
      if (way_of(of_place_[place], variant.change) == 0) ratios.push_back(ns[place] / picked[place]);
    }
    const double slower = ratios.empty() ? 1 : median(std::move(ratios));
    for (std::size_t place = 0; place < ns.size(); ++place) {
      times_[of_place_[place]][way_of(of_place_[place], variant.change)].push_back(ns[place] / slower);
    }
  }

  void settle() {
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      for (std::size_t k = 0; k < convs_[i].choices.size(); ++k) convs_[i].choices[k].ns = median(times_[i][k]);
    }
  }

  const ir::Graph& graph_;
  const backend::Target& target_;
  CompileOptions options_;
  int runs_;
  const ProgressReport& report_;
  std::vector<MeasuredConv> convs_;
  std::vector<std::size_t> of_place_;                    // of a convolution of the graph, in convs_
  std::vector<std::size_t> colors_;                      // of convs_
  std::vector<std::vector<std::vector<double>>> times_;  // [conv][choice]: a median of each place and plan
};

}  // namespace

const MeasuredChoice& MeasuredConv::fastest() const {
  return *std::ranges::min_element(choices, {}, &MeasuredChoice::ns);
}

std::vector<MeasuredConv> measure_convs(const ir::Graph& graph, const backend::Target& target,
                                        const backend::CompileOptions& options, int runs,
                                        const ProgressReport& report) {
  return Measurement(graph, target, options, runs, report).take();
}

backend::ConvRecords records_of(std::span<const MeasuredConv> convs) {
  backend::ConvRecords records;
  for (const MeasuredConv& conv : convs) {
    const MeasuredChoice& best = conv.fastest();
    records[conv.key] = {
        .algorithm = std::string(best.choice.algorithm->name), .tuning = best.choice.candidate.tuning, .ns = best.ns};
  }
  return records;
}

}  // namespace deeper
