// The house rules that a machine can check: sizes of files and functions, and which layer may include which.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileLines = 600;
constexpr std::size_t kKernelFileLines = 900;
constexpr std::size_t kFunctionLines = 60;
constexpr std::size_t kMedianFileLines = 150;

struct Source {
  std::string path;  // relative to the root, with '/'
  std::vector<std::string> lines;
  std::string layer() const { return path.substr(0, path.find('/')); }
};

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

bool is_source(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".cpp", ".h", ".c", ".def"};
  return kExtensions.contains(path.extension().string());
}

std::vector<Source> sources() {
  const fs::path root = DEEPER_SOURCE_DIR;
  std::vector<Source> all;
  for (const char* layer : {"ir", "frontend", "passes", "backend", "runtime", "tools", "tests", "benchmarks"}) {
    if (!fs::exists(root / layer)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / layer)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      if (entry.path().string().find("node_modules") != std::string::npos) continue;
      all.push_back({fs::relative(entry.path(), root).generic_string(), lines_of(entry.path())});
    }
  }
  std::ranges::sort(all, {}, &Source::path);
  return all;
}

std::size_t indentation(const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); }

bool starts_function(const std::string& line) {
  const std::size_t indent = indentation(line);
  if ((indent != 0 && indent != 2) || line.find('(') == std::string::npos) return false;
  for (const char* keyword : {"namespace", "struct", "class", "enum", "extern", "union", "} ", "//", "#"}) {
    if (line.compare(indent, std::string(keyword).size(), keyword) == 0) return false;
  }
  return true;
}

// The line that opens the body of the function whose signature starts at `line`, as clang-format leaves it; the number
// of lines where there is none.
std::size_t opening_line(const std::vector<std::string>& lines, std::size_t line) {
  if (!starts_function(lines[line])) return lines.size();
  for (std::size_t i = line; i < lines.size(); ++i) {
    if (lines[i].ends_with('{')) return i;
    if (lines[i].empty() || lines[i].ends_with(';') || lines[i].ends_with('}')) return lines.size();
  }
  return lines.size();
}

struct Function {
  std::size_t first_line;
  std::size_t length;
};

std::vector<Function> functions(const std::vector<std::string>& lines) {
  std::vector<Function> found;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::size_t end = opening_line(lines, i);
    if (end == lines.size()) continue;
    const std::string closing = std::string(indentation(lines[i]), ' ') + "}";
    while (end < lines.size() && lines[end] != closing && lines[end] != closing + ";") ++end;
    found.push_back({i + 1, end - i + 1});
    i = end;
  }
  return found;
}

// What a source includes from this project: "ir/graph.h".
std::vector<std::string> project_includes(const Source& source) {
  std::vector<std::string> found;
  for (const std::string& line : source.lines) {
    const std::string start = "#include \"";
    if (!line.starts_with(start)) continue;
    found.push_back(line.substr(start.size(), line.rfind('"') - start.size()));
  }
  return found;
}

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"ir", {"ir"}},
    {"frontend", {"frontend", "ir"}},
    {"passes", {"passes", "ir"}},
    {"runtime", {"runtime", "ir"}},
    {"backend",
     {"backend", "ir", "runtime/plan.h", "runtime/kernel.h", "runtime/hazards.h", "runtime/machine.h",
      "runtime/validate.h"}},
};

bool may_include(const std::string& layer, const std::string& include) {
  const auto rule = kMayInclude.find(layer);
  if (rule == kMayInclude.end()) return true;
  return rule->second.contains(include) || rule->second.contains(include.substr(0, include.find('/')));
}

TEST(Style, FindsTheSources) { EXPECT_GT(sources().size(), 50U); }

TEST(Style, FilesAreShort) {
  for (const Source& source : sources()) {
    const std::size_t most = source.path.starts_with("backend/kernels/") ? kKernelFileLines : kFileLines;
    EXPECT_LE(source.lines.size(), most) << source.path;
  }
}

TEST(Style, MostFilesAreVeryShort) {
  std::vector<std::size_t> lengths;
  for (const Source& source : sources()) lengths.push_back(source.lines.size());
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  EXPECT_LT(*middle, kMedianFileLines);
}

TEST(Style, FunctionsAreShort) {
  std::size_t count = 0;
  for (const Source& source : sources()) {
    for (const Function& function : functions(source.lines)) {
      EXPECT_LE(function.length, kFunctionLines) << source.path << ":" << function.first_line;
      ++count;
    }
  }
  EXPECT_GT(count, 500U);
}

TEST(Style, LayersIncludeOnlyThoseBelow) {
  for (const Source& source : sources()) {
    for (const std::string& include : project_includes(source)) {
      EXPECT_TRUE(may_include(source.layer(), include)) << source.path << " includes " << include;
    }
  }
}

TEST(Style, MeasuresFunctions) {
  const std::vector<Function> found = functions({"namespace a {", "struct B {", "  int f() const {", "    return 1;",
                                                 "  }", "};", "int g(", "    int x) {", "  return x;", "}", "}"});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].first_line, 3U);
  EXPECT_EQ(found[0].length, 3U);
  EXPECT_EQ(found[1].length, 4U);
  EXPECT_FALSE(may_include("ir", "passes/passes.h"));
  EXPECT_FALSE(may_include("backend", "runtime/session.h"));
  EXPECT_TRUE(may_include("tools", "backend/compile.h"));
}

}  // namespace
