// Records of measured convolutions: one JSON file for all machines, {"format": ..., "machines": {machine: {key:
// record}}}.
#include "backend/conv_records.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/algorithms.h"
#include "backend/kernels/gemm.h"
#include "ir/error.h"
#include "runtime/machine.h"

namespace deeper::backend {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "deeper tuning records 1";

[[noreturn]] void refuse(const fs::path& file, std::string_view what) {
  throw ModelError(fmt::format("{}: {}", file.string(), what));
}

[[noreturn]] void refuse_contents(const fs::path& file) {
  refuse(file, "holds no tuning records: delete it, or name another file with --tune-file");
}

Json empty_document() { return {{"format", kFormat}, {"machines", Json::object()}}; }

Json read_document(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return empty_document();
  std::ifstream stream(file);
  if (!stream || !fs::is_regular_file(file, error)) refuse(file, "cannot be read");
  Json document = Json::parse(stream, nullptr, false);
  const bool is_ours = document.is_object() && document.value("format", Json()) == kFormat &&
                       document.value("machines", Json()).is_object();
  if (!is_ours) refuse_contents(file);
  return document;
}

Json to_json(const ConvRecord& record) {
  return {{"algorithm", record.algorithm}, {"tuning", record.tuning}, {"ns", record.ns}};
}

ConvRecord record_from(const Json& json) {
  return {.algorithm = json.at("algorithm").get<std::string>(),
          .tuning = json.at("tuning").get<std::vector<std::int64_t>>(),
          .ns = json.at("ns").get<double>()};
}

std::string text_of(const ir::Extent2& extent) { return fmt::format("{}x{}", extent[0], extent[1]); }

std::string residual_text(const ConvShape& shape) {
  if (!shape.has_residual) return "";
  return shape.residual_in_place ? ", residual in place" : fmt::format(", residual of {}", shape.residual.pixel);
}

void write_document(const fs::path& file, const Json& document) {
  std::error_code error;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
  const fs::path temporary = fmt::format("{}.{}", file.string(), ::getpid());
  {
    std::ofstream stream(temporary);
    stream << document.dump(1) << "\n";
    stream.close();
    if (!stream) {
      fs::remove(temporary, error);
      refuse(file, "cannot be written");
    }
  }
  fs::rename(temporary, file, error);
  if (!error) return;
  fs::remove(temporary, error);
  refuse(file, "cannot be written");
}

}  // namespace

std::string record_key(const ConvProblem& problem, const CompileOptions& options) {
  const ConvShape& s = problem.shape;
  return fmt::format(
      "{}x{}x{} to {}x{}, window {}, strides {}, dilations {}, pads {}, groups {}, pixels of {} to {}{}{}{}, "
      "{}{}{}{}",
      s.batch, s.in_channels, text_of(s.input), s.out_channels, text_of(s.output), text_of(s.kernel),
      text_of(s.op.strides), text_of(s.op.dilations), fmt::join(s.op.pads, ","), s.op.groups, s.source.pixel,
      s.result.pixel, s.has_bias ? ", bias" : "", residual_text(s),
      has_simple_activation(s.op.activation) ? "" : ", other activation",
      options.accuracy == Accuracy::safe ? "safe" : "fast", options.low_memory ? ", low memory" : "",
      options.kernels == Kernels::onednn ? ", onednn" : "", problem.is_alone ? ", alone" : "");
}

std::string machine_key(const Target& target) {
  return fmt::format("{}; {}; caches {} {} {}; {} threads; deeper {}, oneDNN {}, LIBXSMM {}", target.cpu,
                     to_string(target.isa), target.l1_bytes, target.l2_bytes, target.l3_bytes, target.threads,
                     DEEPER_VERSION, runtime::onednn_version(), gemm_library_version());
}

fs::path default_records_file() {
  constexpr const char* kName = "deeper/tuning.json";
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return fs::path(cache) / kName;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache" / kName;
  return {};
}

ConvRecords load_records(const fs::path& file, const std::string& machine) {
  const Json document = read_document(file);
  const Json& machines = document.at("machines");
  ConvRecords records;
  if (!machines.contains(machine)) return records;
  try {
    for (const auto& [key, record] : machines.at(machine).items()) records.emplace(key, record_from(record));
  } catch (const Json::exception&) {
    refuse_contents(file);
  }
  return records;
}

void save_records(const fs::path& file, const std::string& machine, const ConvRecords& records) {
  Json document = read_document(file);
  Json& kept = document["machines"][machine];
  if (!kept.is_object()) kept = Json::object();
  for (const auto& [key, record] : records) kept[key] = to_json(record);
  write_document(file, document);
}

}  // namespace deeper::backend
