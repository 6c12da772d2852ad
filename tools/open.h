#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backend/compile.h"
#include "frontend/import.h"
#include "passes/passes.h"
#include "runtime/plan.h"

// From a file to a plan in one call: what the command line, the C API and embedding programs use.
namespace deeper {

// How kernels are chosen: by cost model; by the records of measurements where there are some; by measuring now.
enum class Tune : std::uint8_t { off, cached, full };

// What is being done and how much of it is done, from 0 to 1.
using ProgressReport = std::function<void(std::string_view what, double share)>;

struct OpenOptions {
  frontend::ImportOptions import;
  std::optional<passes::Pipeline> pipeline;  // none: the default one
  backend::CompileOptions compile;
  std::string isa;  // cap on the instruction set: "avx2", "avx512", "amx"; empty: what the CPU has
  int threads = 0;  // 0: one per CPU this process may use
  Tune tune = Tune::off;
  std::filesystem::path tune_file{};  // of the records; empty: default_records_file()
  ProgressReport report{};            // of measuring; may be empty
};

// CPUs this process may use.
int available_threads();

// Imports and optimizes an ONNX model. Throws ModelError.
frontend::Imported import_and_optimize(const std::filesystem::path& model, const OpenOptions& options);

// Lowers an optimized graph; ports take the types the model declares. With Tune::full its convolutions are measured
// first and the records kept. Throws ModelError.
runtime::Plan compile_imported(const frontend::Imported& imported, const OpenOptions& options);

// A plan from an ONNX model (import, passes, compile) or from a plan file (loaded; options that only a compilation
// could honour are refused). Throws ModelError.
runtime::Plan open_plan(const std::filesystem::path& model, const OpenOptions& options);

}  // namespace deeper
