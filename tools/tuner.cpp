#include "tools/tuner.h"

#include <emmintrin.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>

#include "ir/error.h"
#include "runtime/session.h"

namespace deeper {
namespace {

using backend::CompiledConv;
using backend::CompileOptions;
using backend::ConvChoice;
using backend::ConvRecords;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kHeldBytes = std::uint64_t{2} << 30;  // of weights, by the plans that run in turn
constexpr std::uint64_t kCacheBytes = std::uint64_t{64} << 20;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A plan that can run and the times of its steps.
struct Variant {
  std::size_t number = 0;
  std::vector<CompiledConv> convs;
  runtime::Program program;
  runtime::Session session;
  std::vector<std::vector<std::int64_t>> step_ns;  // of each run

  Variant(std::size_t which, std::vector<CompiledConv> compiled, runtime::Plan plan)
      : number(which),
        convs(std::move(compiled)),
        program(std::move(plan), backend::kernel_table()),
        session(program, {}) {}
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

void evict(std::span<const std::byte> bytes) {
  constexpr std::size_t kLine = 64;
  for (std::size_t i = 0; i < bytes.size(); i += kLine) _mm_clflush(bytes.data() + i);
  _mm_mfence();
}

// Runs and times one plan; gives the whole time.
double run_once(Variant& variant, Ports& ports) {
  std::vector<std::int64_t> ns(variant.program.plan().steps.size());
  const auto start = Clock::now();
  const runtime::Status status = variant.session.run_profiled(ports.in_views, ports.out_views, ns);
  DEEPER_CHECK(status == runtime::Status::ok, "running a plan to measure it");
  variant.step_ns.push_back(std::move(ns));
  return seconds_since(start);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double median_ns(const Variant& variant, const CompiledConv& conv) {
  std::vector<double> times;
  for (const std::vector<std::int64_t>& run : variant.step_ns) {
    double sum = 0;
    for (std::size_t step = conv.first_step; step < conv.last_step; ++step) sum += static_cast<double>(run[step]);
    times.push_back(sum);
  }
  return median(std::move(times));
}

// The measuring of one graph.
class Measurement {
 public:
  Measurement(const ir::Graph& graph, const backend::Target& target, const CompileOptions& options, int runs,
              const ProgressReport& report)
      : graph_(graph), target_(target), options_(options), runs_(runs), report_(report) {
    options_.records = nullptr;
  }

  std::vector<MeasuredConv> take() {
    std::unique_ptr<Variant> first = compiled(0);
    find_convs(*first);
    std::size_t variants = 1;
    for (const MeasuredConv& conv : convs_) variants = std::max(variants, conv.choices.size());
    const std::uint64_t held = first->program.plan().weights->bytes().size() * 2;
    const std::size_t at_once = std::clamp<std::size_t>(kHeldBytes / std::max<std::uint64_t>(held, 1), 2, variants + 1);
    for (std::size_t k = 0; k < variants; k += at_once) {
      std::vector<std::unique_ptr<Variant>> turn;
      for (std::size_t i = k; i < std::min(variants, k + at_once); ++i) {
        turn.push_back(i == 0 ? std::move(first) : compiled(i));
        tell("compiling", static_cast<double>(i) / static_cast<double>(variants) * kCompileShare);
      }
      measure(turn, static_cast<double>(k) / static_cast<double>(variants), variants);
    }
    settle();
    return std::move(convs_);
  }

 private:
  static constexpr double kCompileShare = 0.2;
  static constexpr double kSeconds = 20;

  void tell(std::string_view what, double share) const {
    if (report_) report_(what, share);
  }

  const ConvChoice& choice_of(const MeasuredConv& conv, std::size_t variant) const {
    return conv.choices[variant % conv.choices.size()].choice;
  }

  // The plan in which every convolution takes its way number `variant`, from the first again behind the last.
  std::unique_ptr<Variant> compiled(std::size_t variant) const {
    CompileOptions options = options_;
    auto records = std::make_shared<ConvRecords>();
    for (const MeasuredConv& conv : convs_) {
      const ConvChoice& choice = choice_of(conv, variant);
      (*records)[conv.key] = {.algorithm = std::string(choice.algorithm->name), .tuning = choice.candidate.tuning};
    }
    options.records = std::move(records);
    std::vector<CompiledConv> convs;
    runtime::Plan plan = backend::compile(graph_, target_, options, convs);
    return std::make_unique<Variant>(variant, std::move(convs), std::move(plan));
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

  // Runs the variants in turn and keeps the median times of their convolutions.
  void measure(std::vector<std::unique_ptr<Variant>>& turn, double begun, std::size_t variants) {
    Ports ports(turn.front()->program.plan());
    std::uint64_t weights = 0;
    double round_seconds = 0;
    for (const auto& variant : turn) {
      weights += variant->program.plan().weights->bytes().size();
      round_seconds += run_once(*variant, ports);
      variant->step_ns.clear();
    }
    const double part = static_cast<double>(turn.size()) / static_cast<double>(variants);
    const int runs = runs_ > 0 ? runs_ : static_cast<int>(std::clamp(kSeconds * part / (2 * round_seconds), 7.0, 41.0));
    for (int run = 0; run < runs; ++run) {
      for (const auto& variant : turn) {
        // Once more than is timed: the caches are to hold what this plan leaves in them, not what others did.
        run_once(*variant, ports);
        variant->step_ns.pop_back();
        if (weights < kCacheBytes) evict(variant->program.plan().weights->bytes());
        run_once(*variant, ports);
      }
      const double done = begun + part * (run + 1) / runs;
      tell("measuring", kCompileShare + (1 - kCompileShare) * done);
    }
    for (const auto& variant : turn) {
      for (std::size_t place = 0; place < variant->convs.size(); ++place) {
        auto& of_conv = times_[of_place_[place]];
        of_conv[variant->number % of_conv.size()].push_back(median_ns(*variant, variant->convs[place]));
      }
    }
  }

  void settle() {
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      for (std::size_t k = 0; k < convs_[i].choices.size(); ++k) {
        double sum = 0;
        for (const double ns : times_[i][k]) sum += ns;
        convs_[i].choices[k].ns = sum / static_cast<double>(times_[i][k].size());
      }
    }
  }

  const ir::Graph& graph_;
  const backend::Target& target_;
  CompileOptions options_;
  int runs_;
  const ProgressReport& report_;
  std::vector<MeasuredConv> convs_;
  std::vector<std::size_t> of_place_;                    // of a convolution of the graph, in convs_
  std::vector<std::vector<std::vector<double>>> times_;  // [conv][choice]: a median of each place and variant
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
