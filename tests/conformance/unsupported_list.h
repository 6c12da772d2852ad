#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deeper::conformance {

// One line of a list: a name pattern (as of a shell), then why the cases it matches are refused. With '!' before the
// pattern the expected data themselves are at fault and results are not compared.
struct UnsupportedEntry {
  std::string pattern;
  std::string reason;
  bool incomparable = false;
  int matches = 0;
};

// The entries of the list; lines that are empty or begin with '#' are left out.
std::vector<UnsupportedEntry> read_unsupported(const std::filesystem::path& path);

// The first entry that matches, counted as a match; nullptr where there is none.
const UnsupportedEntry* match_unsupported(std::vector<UnsupportedEntry>& entries, const std::string& name);

}  // namespace deeper::conformance
