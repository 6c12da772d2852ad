// deeper passes: what every pass does to a model and what it is worth.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "runtime/plan_file.h"
#include "tools/commands.h"
#include "tools/files.h"
#include "tools/model_flags.h"
#include "tools/pass_report.h"
#include "tools/pass_study.h"
#include "tools/progress.h"

namespace deeper::tools {
namespace {

struct PassesFlags {
  ModelFlags model;
  StudyOptions study;
  bool list = false;
  bool json = false;
  std::filesystem::path report;
};

void list_passes(bool json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const passes::PassInfo& pass : passes::all_passes()) {
    list.push_back({{"name", pass.name}, {"summary", pass.summary}, {"exact_when", pass.exact_when}});
    if (!json) fmt::print("{:<32} {}\n{:<32}   exact: {}\n", pass.name, pass.summary, "", pass.exact_when);
  }
  if (json) fmt::print("{}\n", nlohmann::ordered_json{{"passes", list}}.dump(1));
}

nlohmann::ordered_json to_json(const Interval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

nlohmann::ordered_json to_json(const Study& study) {
  nlohmann::ordered_json report{{"model", study.model},
                                {"threads", study.threads},
                                {"runs", study.runs},
                                {"control_ms", to_json(study.control_ms)}};
  for (const Variant& variant : study.variants) {
    const Build& build = study.builds[variant.build];
    report["variants"].push_back({{"pipeline", to_string(variant.selection)},
                                  {"pass", variant.pass},
                                  {"plan", variant.build},
                                  {"nodes", build.nodes},
                                  {"convolutions", build.convolutions},
                                  {"multiply_adds", build.multiply_adds},
                                  {"steps", build.steps},
                                  {"bytes_moved", build.bytes_moved},
                                  {"weights_bytes", build.weights_bytes},
                                  {"arena_bytes", build.arena_bytes},
                                  {"latency_ms", to_json(build.latency_ms)},
                                  {"difference", build.difference},
                                  {"changes_plan", variant.changes_plan()},
                                  {"gain_ms", to_json(variant.gain_ms)},
                                  {"significant", variant.is_significant}});
  }
  return report;
}

std::string interval_text(const Interval& interval) {
  return fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", interval.median, interval.low, interval.high);
}

std::string gain_text(const Variant& variant) {
  if (variant.selection == Selection::none) return "";
  if (!variant.changes_plan()) return "same plan";
  return interval_text(variant.gain_ms) + (variant.is_significant ? "" : "  inside the noise");
}

double mega(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void print_variant(const Study& study, const Variant& variant) {
  const Build& b = study.builds[variant.build];
  const std::string ms =
      fmt::format("{:.3f} [{:.3f}, {:.3f}]", b.latency_ms.median, b.latency_ms.low, b.latency_ms.high);
  fmt::print("{:<32} {:>5} {:>5} {:>7.3f} {:>8.2f} {:>7.2f} {:>6.2f}  {:>8.1e}  {:<28} {}\n",
             variant.pass.empty() ? "(no pass)" : variant.pass, b.nodes, b.convolutions,
             static_cast<double>(b.multiply_adds) / 1e9, mega(b.bytes_moved), mega(b.weights_bytes),
             mega(b.arena_bytes), b.difference, ms, gain_text(variant));
}

void print_selection(const Study& study, Selection selection, std::string_view title) {
  fmt::print("\n{}\n{:<32} {:>5} {:>5} {:>7} {:>8} {:>7} {:>6}  {:>8}  {:<28} {}\n", title, "pass", "nodes", "convs",
             "GMAC", "moved MB", "weights", "arena", "differs", "ms [95 % interval]",
             "gain of the pass in ms [99 % interval]");
  if (selection != Selection::without) print_variant(study, study.unoptimized());
  for (const Variant& variant : study.variants) {
    if (variant.selection == selection) print_variant(study, variant);
  }
}

// Every pass that changes a plan, the one that the pipeline would miss most first.
void print_ranking(const Study& study) {
  const auto cell = [](const Variant* variant) {
    if (!variant->changes_plan()) return std::string("same plan");
    return interval_text(variant->gain_ms) + (variant->is_significant ? "" : " noise");
  };
  fmt::print("\nwhat each pass is worth: ms that it saves, with the 99 % interval; the most missed first\n");
  fmt::print("{:<32} {:<34} {:<34} {}\n", "pass", "the pipeline without it loses", "in its turn it gains",
             "alone it gains");
  for (const PassWorth& worth : ranking(study)) {
    fmt::print("{:<32} {:<34} {:<34} {}\n", worth.pass, cell(worth.without), cell(worth.up_to), cell(worth.alone));
  }
  fmt::print("the same plan compiled twice differs by {}: noise is an interval that holds 0, or less than this\n",
             interval_text(study.control_ms));
}

void print_study(const Study& study) {
  const Build& before = study.builds[study.unoptimized().build];
  const Build& after = study.builds[study.optimized().build];
  fmt::print("{}  {} thread(s)  {} rounds over {} different plans  {:.3f} ms unoptimized, {:.3f} ms optimized\n",
             study.model, study.threads, study.runs, study.builds.size() - 1, before.latency_ms.median,
             after.latency_ms.median);
  print_selection(study, Selection::up_to, "one pass after the other");
  print_selection(study, Selection::without, "all but one");
  print_selection(study, Selection::alone, "one alone");
  print_ranking(study);
}

void study(const PassesFlags& flags) {
  if (flags.list) {
    list_passes(flags.json);
    return;
  }
  if (flags.model.model().empty()) throw CLI::RequiredError("model");
  if (runtime::is_plan_file(flags.model.model())) {
    throw ModelError(fmt::format("{}: passes takes the ONNX model, a plan has none", flags.model.model().string()));
  }
  const OpenOptions options = flags.model.options();
  require_writable(flags.report);
  Progress progress;
  progress.show("importing");
  const frontend::Imported imported = frontend::import_model(flags.model.model(), options.import);
  const Study result =
      study_passes(imported, options, flags.study, [&](std::string_view what) { progress.show(what); });
  if (!flags.report.empty()) {
    progress.show("drawing");
    write_file(flags.report, pass_report(result));
  }
  if (flags.json) {
    fmt::print("{}\n", to_json(result).dump(1));
  } else {
    print_study(result);
  }
}

}  // namespace

void add_passes_command(CLI::App& app) {
  auto flags = std::make_shared<PassesFlags>();
  CLI::App* command = app.add_subcommand("passes", "show what every pass does to a model and what it is worth");
  flags->model.add_to(*command, "--output");
  command->get_option("model")->required(false);
  command->add_flag("--list", flags->list, "print every pass, what it does and when it is exact");
  command->add_option("--runs", flags->study.runs, "rounds, each of which times every variant")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--pin", flags->study.pin, "pin every thread to a CPU");
  command->add_option("--report", flags->report, "write a page with waterfall, table and graphs to this HTML file");
  command->add_flag("--json", flags->json, "print one JSON object");
  command->callback([flags] { study(*flags); });
}

}  // namespace deeper::tools
