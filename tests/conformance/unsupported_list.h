#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deeper::conformance {

// One line of unsupported.txt: a name pattern (* and ?), then why the cases it matches are refused.
struct UnsupportedEntry {
  std::string pattern;
  std::string reason;
  int matches = 0;
};

// The entries of the list; lines that are empty or begin with '#' are left out.
std::vector<UnsupportedEntry> read_unsupported(const std::filesystem::path& path);

// The first entry that matches, counted as a match; nullptr where there is none.
const UnsupportedEntry* match_unsupported(std::vector<UnsupportedEntry>& entries, const std::string& name);

}  // namespace deeper::conformance
