#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/accuracy.h"
#include "backend/conv_records.h"
#include "backend/target.h"
#include "ir/graph.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace deeper::backend {

enum class Kernels : std::uint8_t { all, onednn };

struct CompileOptions {
  Kernels kernels = Kernels::all;
  Accuracy accuracy = Accuracy::safe;
  bool low_memory = false;       // no algorithm whose packed weights are larger than the plain ones
  bool by_image = true;          // run what gains by it for one image of a batch after the other, see image_loop.h
  bool pools_with_convs = true;  // one step for a convolution and a pool before or behind it, where that pays
  std::string force{};           // name of one convolution algorithm to use wherever it applies; empty: choose
  std::shared_ptr<const ConvRecords> records{};  // what to do where one is found; null: the cost model decides
};

// Lowers a verified graph to a plan: verify, choose layouts, choose kernels, pack weights, plan memory, emit. Throws
// ModelError naming the node for what cannot run.
runtime::Plan compile(const ir::Graph& graph, const Target& target, const CompileOptions& options);

// The same; tells what convolutions it met, in order.
struct CompiledConv;
runtime::Plan compile(const ir::Graph& graph, const Target& target, const CompileOptions& options,
                      std::vector<CompiledConv>& convs);

// Every kernel a plan may name.
runtime::KernelTable kernel_table();

}  // namespace deeper::backend
