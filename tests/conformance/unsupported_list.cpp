#include "tests/conformance/unsupported_list.h"

#include <fnmatch.h>

#include <fstream>

namespace deeper::conformance {

std::vector<UnsupportedEntry> read_unsupported(const std::filesystem::path& path) {
  std::vector<UnsupportedEntry> entries;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t end = line.find(' ');
    const std::size_t reason = line.find_first_not_of(' ', end);
    UnsupportedEntry entry{line.substr(0, end), reason == std::string::npos ? "" : line.substr(reason)};
    entry.incomparable = entry.pattern.starts_with('!');
    if (entry.incomparable) entry.pattern.erase(0, 1);
    entries.push_back(std::move(entry));
  }
  return entries;
}

const UnsupportedEntry* match_unsupported(std::vector<UnsupportedEntry>& entries, const std::string& name) {
  for (UnsupportedEntry& entry : entries) {
    if (fnmatch(entry.pattern.c_str(), name.c_str(), 0) != 0) continue;
    ++entry.matches;
    return &entry;
  }
  return nullptr;
}

}  // namespace deeper::conformance
