#pragma once

#include <span>
#include <string>
#include <vector>

#include "backend/algorithms.h"
#include "backend/compile.h"
#include "backend/conv_records.h"
#include "tools/open.h"

// Measures the ways to do the convolutions of a graph: what --tune full does.
namespace deeper {

struct MeasuredChoice {
  backend::ConvChoice choice;
  double ns = 0;  // median of the plans, and of the places in the graph where there are several
};

// A convolution of the graph; one that is there several times counts once.
struct MeasuredConv {
  std::string key;   // record_key
  std::string name;  // of the first of them
  backend::ConvProblem problem;
  std::size_t places = 0;
  std::vector<MeasuredChoice> choices;  // the cost model's pick first

  const MeasuredChoice& fastest() const;
};

// Compiles the graph with the cost model's picks, and once for every other way of a third of its convolutions, those
// near one another being in different thirds: each meets each of its ways among neighbours that keep their picks. Runs
// these plans in turn, in the same memory, each twice, timing the second run: every time is taken in the network
// itself, with its threads, pinned, its images in the caches it finds them in, and its weights as cold as the network
// leaves them. `runs`: timed ones of each plan; 0: as many as fit some twenty seconds. Reports to `report` unless it is
// empty.
std::vector<MeasuredConv> measure_convs(const ir::Graph& graph, const backend::Target& target,
                                        const backend::CompileOptions& options, int runs, const ProgressReport& report);

// The fastest way of each.
backend::ConvRecords records_of(std::span<const MeasuredConv> convs);

}  // namespace deeper
