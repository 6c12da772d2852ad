#include "tools/open.h"

#include <fmt/format.h>
#include <sched.h>

#include <chrono>

#include "backend/target.h"
#include "ir/error.h"
#include "runtime/plan_file.h"
#include "tools/tuner.h"

namespace deeper {
namespace {

void declare_types(std::vector<runtime::Port>& ports, const std::vector<frontend::PortInfo>& infos) {
  for (runtime::Port& port : ports) {
    for (const frontend::PortInfo& info : infos) {
      if (info.name == port.name) port.onnx_type = info.onnx_type;
    }
  }
}

runtime::Plan open_plan_file(const std::filesystem::path& path, const OpenOptions& options) {
  runtime::Plan plan = runtime::load_plan(path);
  if (options.threads != 0 && options.threads != plan.threads) {
    throw ModelError(fmt::format("{}: the plan is for {} thread(s), not {}: compile the model again with --threads {}",
                                 path.string(), plan.threads, options.threads, options.threads));
  }
  if (options.pipeline || !options.import.dims.empty() || !options.import.outputs.empty()) {
    throw ModelError(
        fmt::format("{}: passes, dims and outputs are fixed in a plan: give the ONNX model", path.string()));
  }
  if (options.tune != Tune::off) {
    throw ModelError(fmt::format("{}: kernels are chosen in a plan: give the ONNX model to tune", path.string()));
  }
  if (!options.isa.empty() && options.isa != plan.isa) {
    throw ModelError(fmt::format("{}: the plan is for {}, not {}: compile the model again with --isa {}", path.string(),
                                 plan.isa, options.isa, options.isa));
  }
  // Its kernels were chosen under this cap, and oneDNN must choose them again.
  backend::detect_target(plan.threads, plan.isa == "avx2" ? "avx2" : "");
  return plan;
}

std::filesystem::path records_file(const OpenOptions& options) {
  std::filesystem::path file = options.tune_file.empty() ? backend::default_records_file() : options.tune_file;
  if (file.empty()) throw ModelError("no folder for tuning records: set HOME or XDG_CACHE_HOME, or give --tune-file");
  return file;
}

// What the choice of kernels is to go by.
std::shared_ptr<const backend::ConvRecords> records_for(const ir::Graph& graph, const backend::Target& target,
                                                        const OpenOptions& options) {
  if (options.tune == Tune::off) return options.compile.records;
  const std::filesystem::path file = records_file(options);
  const std::string machine = backend::machine_key(target);
  backend::ConvRecords records = backend::load_records(file, machine);
  if (options.tune == Tune::full) {
    records = records_of(measure_convs(graph, target, options.compile, 0, options.report));
    backend::save_records(file, machine, records);
  }
  return std::make_shared<const backend::ConvRecords>(std::move(records));
}

}  // namespace

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

frontend::Imported import_and_optimize(const std::filesystem::path& model, const OpenOptions& options) {
  frontend::Imported imported = frontend::import_model(model, options.import);
  passes::run_passes(imported.graph, options.pipeline.value_or(passes::default_pipeline()));
  return imported;
}

runtime::Plan compile_imported(const frontend::Imported& imported, const OpenOptions& options) {
  const int threads = options.threads != 0 ? options.threads : available_threads();
  const backend::Target target = backend::detect_target(threads, options.isa);
  backend::CompileOptions compile = options.compile;
  compile.records = records_for(imported.graph, target, options);
  runtime::Plan plan = backend::compile(imported.graph, target, compile);
  plan.model_hash = imported.model_hash;
  declare_types(plan.inputs, imported.inputs);
  declare_types(plan.outputs, imported.outputs);
  return plan;
}

runtime::Plan open_plan(const std::filesystem::path& model, const OpenOptions& options) {
  if (runtime::is_plan_file(model)) return open_plan_file(model, options);
  const auto start = std::chrono::steady_clock::now();
  runtime::Plan plan = compile_imported(import_and_optimize(model, options), options);
  plan.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return plan;
}

}  // namespace deeper
