// How well the cost model chooses: for every convolution of the zoo, each kind once, what it picks beside the fastest
// way measured in the network itself.
//   choices [MODEL...] [--isa avx2|avx512|amx] [--threads N] [--accuracy safe|fast] [--runs N] [--all]
// Ends with on how many layers the pick is within 10 % of the best. --all lists every way of every layer. Measures four
// times: two tell which way is best, the other two how much better it is, for the least of many times is a lucky one.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "passes/passes.h"
#include "tools/tuner.h"

namespace deeper::benchmarks {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string isa;
  std::string accuracy = "safe";
  int threads = 1;
  int runs = 0;
  bool all = false;
};

ir::Graph load(const std::string& model) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("deeper-choices-{}-{}.onnx", model, getpid());
  frontend::write_zoo_model(model, path, {});
  ir::Graph graph = frontend::import_onnx(path, {});
  std::filesystem::remove(path);
  passes::run_passes(graph, passes::default_pipeline());
  return graph;
}

// The mean of two measurements: each lies elsewhere in memory, which changes a layer's time by up to a fifth.
std::vector<MeasuredConv> measure_twice(const ir::Graph& graph, const backend::Target& target,
                                        const backend::CompileOptions& options, int runs) {
  std::vector<MeasuredConv> convs = measure_convs(graph, target, options, runs, {});
  const std::vector<MeasuredConv> again = measure_convs(graph, target, options, runs, {});
  for (std::size_t i = 0; i < convs.size(); ++i) {
    for (std::size_t k = 0; k < convs[i].choices.size(); ++k) {
      convs[i].choices[k].ns = (convs[i].choices[k].ns + again[i].choices[k].ns) / 2;
    }
  }
  return convs;
}

std::string text_of(const MeasuredChoice& choice) {
  return fmt::format("{} {}", choice.choice.algorithm->name, choice.choice.candidate.implementation);
}

void print_ways(const MeasuredConv& conv) {
  for (const MeasuredChoice& choice : conv.choices) {
    fmt::print("    {:9.1f} us  estimate {:9.1f}  {}\n", choice.ns / 1e3, choice.choice.candidate.estimate_ns / 1e3,
               text_of(choice));
  }
}

// What the layers add up to.
struct Summary {
  std::size_t layers = 0;
  std::size_t near = 0;
  double worst = 1;
  std::string worst_name;
  double pick_ns = 0;
  double best_ns = 0;

  void add(const MeasuredConv& conv, std::size_t best) {
    const double ratio = conv.choices.front().ns / conv.choices[best].ns;
    ++layers;
    if (ratio <= 1.1) ++near;
    if (ratio > worst) {
      worst = ratio;
      worst_name = conv.key;
    }
    pick_ns += conv.choices.front().ns * static_cast<double>(conv.places);
    best_ns += conv.choices[best].ns * static_cast<double>(conv.places);
  }

  void print() const {
    fmt::print("within 10 % on {} of {} layers; all picks together {:.3f} of the best; worst {:.2f}: {}\n", near,
               layers, pick_ns / best_ns, worst, worst_name);
  }
};

void print_layer(const MeasuredConv& conv, std::size_t best_way, bool all) {
  const MeasuredChoice& pick = conv.choices.front();
  const MeasuredChoice& best = conv.choices[best_way];
  fmt::print("{:5.2f}  {}\n       pick {:8.1f} us  estimate {:8.1f}  {}\n", pick.ns / best.ns, conv.key, pick.ns / 1e3,
             pick.choice.candidate.estimate_ns / 1e3, text_of(pick));
  if (all) return print_ways(conv);
  if (&pick == &best) return;
  fmt::print("       best {:8.1f} us  estimate {:8.1f}  {}\n", best.ns / 1e3, best.choice.candidate.estimate_ns / 1e3,
             text_of(best));
}

int run(const Options& options) {
  const backend::Target target = backend::detect_target(options.threads, options.isa);
  const backend::CompileOptions compile{.accuracy = options.accuracy == "fast" ? backend::Accuracy::fast
                                                                               : backend::Accuracy::safe};
  std::vector<std::string> models = options.models;
  if (models.empty()) {
    for (const frontend::ZooEntry& entry : frontend::zoo_entries()) models.emplace_back(entry.name);
  }
  std::set<std::string> seen;
  Summary whole;
  for (const std::string& model : models) {
    const ir::Graph graph = load(model);
    const std::vector<MeasuredConv> first = measure_twice(graph, target, compile, options.runs);
    const std::vector<MeasuredConv> convs = measure_twice(graph, target, compile, options.runs);
    std::vector<std::size_t> best;
    for (const MeasuredConv& conv : first) {
      best.push_back(static_cast<std::size_t>(&conv.fastest() - conv.choices.data()));
    }
    Summary of_model;
    for (std::size_t i = 0; i < convs.size(); ++i) of_model.add(convs[i], best[i]);
    fmt::print("== {}: ", model);
    of_model.print();
    for (std::size_t i = 0; i < convs.size(); ++i) {
      if (!seen.insert(convs[i].key).second) continue;
      whole.add(convs[i], best[i]);
      print_layer(convs[i], best[i], options.all);
    }
  }
  fmt::print("== {}, {} thread(s): ", to_string(target.isa), target.threads);
  whole.print();
  return 0;
}

}  // namespace
}  // namespace deeper::benchmarks

int main(int count, char** arguments) {
  deeper::benchmarks::Options options;
  CLI::App app{"How well the cost model chooses among the ways to do the zoo's convolutions."};
  app.add_option("model", options.models, "names of the zoo (default: all)");
  app.add_option("--isa", options.isa)->check(CLI::IsMember({"avx2", "avx512", "amx"}));
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024));
  app.add_option("--accuracy", options.accuracy)->check(CLI::IsMember({"safe", "fast"}));
  app.add_option("--runs", options.runs, "of every plan (default: as many as fit some twenty seconds)");
  app.add_flag("--all", options.all, "list every way of every layer");
  CLI11_PARSE(app, count, arguments);
  return deeper::benchmarks::run(options);
}
