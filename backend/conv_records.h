#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "backend/target.h"

// What measuring convolutions gave, and the file that keeps it.
namespace deeper::backend {

struct CompileOptions;
struct ConvProblem;

// The fastest way found for a convolution.
struct ConvRecord {
  std::string algorithm;             // row of the algorithm table
  std::vector<std::int64_t> tuning;  // of its candidate; empty for oneDNN
  double ns = 0;                     // what it took
  bool operator==(const ConvRecord&) const = default;
};

// By record_key.
using ConvRecords = std::map<std::string, ConvRecord, std::less<>>;

// Everything about a convolution and the options that its time depends on, as text.
std::string record_key(const ConvProblem& problem, const CompileOptions& options);

// Everything about this machine and these libraries that times depend on, as text: records of another are of no use.
std::string machine_key(const Target& target);

// tuning.json in $XDG_CACHE_HOME/deeper, else in ~/.cache/deeper; empty where neither is known.
std::filesystem::path default_records_file();

// The records of `machine` in the file; none where there is no file. Throws ModelError where the file holds something
// else.
ConvRecords load_records(const std::filesystem::path& file, const std::string& machine);

// Adds the records of `machine` to the file, replacing those of equal keys and keeping all others: a new file under a
// temporary name, then renamed. Throws ModelError where the file holds something else or cannot be written.
void save_records(const std::filesystem::path& file, const std::string& machine, const ConvRecords& records);

}  // namespace deeper::backend
