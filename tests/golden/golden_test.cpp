// Every pass of the registry against its golden file tests/golden/<pass>.ir:
//
//   // tolerance: 1e-6            how far results may be off (optional; 1e-9 where the pass re-rounds no weights)
//   // case: what it shows
//   graph "before" { ... }
//   // ---
//   graph "after" { ... }         or: unchanged
//
// BLESS=1 in the environment rewrites what stands after each '// ---'.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ir/parse.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"

namespace deeper::passes {

void PrintTo(const PassInfo& pass, std::ostream* stream) { *stream << pass.name; }

}  // namespace deeper::passes

namespace deeper {
namespace {

struct Case {
  std::string title;
  std::string before;
  std::string after;
};

struct GoldenFile {
  std::string header;  // lines before the first case
  double tolerance = 1e-9;
  std::vector<Case> cases;
};

constexpr std::string_view kTolerance = "// tolerance: ";
constexpr std::string_view kCase = "// case: ";
constexpr std::string_view kDivider = "// ---";
constexpr std::string_view kUnchanged = "unchanged\n";

std::filesystem::path golden_path(std::string_view pass) {
  return std::filesystem::path(DEEPER_SOURCE_DIR) / "tests" / "golden" / (std::string(pass) + ".ir");
}

void trim_end(std::string& text) {
  while (text.ends_with("\n\n")) text.pop_back();
}

GoldenFile read_golden(const std::filesystem::path& path) {
  GoldenFile file;
  std::ifstream stream(path);
  std::string* part = &file.header;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(kCase)) {
      file.cases.push_back({.title = line.substr(kCase.size()), .before = "", .after = ""});
      part = &file.cases.back().before;
    } else if (line == kDivider && !file.cases.empty()) {
      part = &file.cases.back().after;
    } else if (part != &file.header || !line.empty()) {
      if (line.starts_with(kTolerance)) file.tolerance = std::stod(line.substr(kTolerance.size()));
      *part += line + "\n";
    }
  }
  for (Case& one : file.cases) {
    trim_end(one.before);
    trim_end(one.after);
  }
  return file;
}

void write_golden(const std::filesystem::path& path, const GoldenFile& file) {
  std::ofstream stream(path);
  stream << file.header;
  for (const Case& one : file.cases) {
    stream << (&one == file.cases.data() && file.header.empty() ? "" : "\n") << kCase << one.title << "\n"
           << one.before << kDivider << "\n"
           << one.after;
  }
}

// Text after the pass; expects everything but that it is what the file says.
std::string run_case(const passes::PassInfo& pass, const Case& one, double tolerance) {
  const ir::Graph before = ir::parse(one.before);
  ir::verify(before, ir::Form::imported);
  EXPECT_EQ(ir::print(before), one.before) << "the graph before is not in printed form";

  ir::Graph after = before;
  const bool changed = pass.run(after);
  const std::string text = ir::print(after);
  EXPECT_EQ(changed, text != one.before) << "the pass says " << changed << " and leaves\n" << text;
  ir::verify(after, ir::Form::imported);
  test::expect_agreement(after, before, tolerance);

  EXPECT_FALSE(pass.run(after)) << "changes its own result:\n" << ir::print(after);
  EXPECT_EQ(ir::print(after), text) << "changes its own result";
  return changed ? text : std::string(kUnchanged);
}

class Golden : public testing::TestWithParam<passes::PassInfo> {};

TEST_P(Golden, MatchesFile) {
  const std::filesystem::path path = golden_path(GetParam().name);
  ASSERT_TRUE(std::filesystem::exists(path)) << "pass " << GetParam().name << " has no golden file " << path;
  GoldenFile file = read_golden(path);
  const bool bless = std::getenv("BLESS") != nullptr;
  int changed = 0;
  for (Case& one : file.cases) {
    SCOPED_TRACE(one.title);
    try {
      if (bless) one.before = ir::print(ir::parse(one.before));
      const std::string after = run_case(GetParam(), one, file.tolerance);
      changed += after != kUnchanged ? 1 : 0;
      if (!bless) {
        EXPECT_EQ(after, one.after);
      }
      one.after = after;
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_GT(changed, 0) << "no case in which the pass does something";
  EXPECT_LT(changed, std::ssize(file.cases)) << "no case in which the pass leaves the graph alone";
  if (bless) write_golden(path, file);
}

INSTANTIATE_TEST_SUITE_P(Passes, Golden, testing::ValuesIn(passes::all_passes().begin(), passes::all_passes().end()),
                         [](const auto& pass) { return std::string(pass.param.name); });

TEST(GoldenFiles, BelongToAPass) {
  for (const auto& entry : std::filesystem::directory_iterator(golden_path("").parent_path())) {
    if (entry.path().extension() != ".ir") continue;
    const auto named = [&](const passes::PassInfo& pass) { return pass.name == entry.path().stem().string(); };
    EXPECT_TRUE(std::ranges::any_of(passes::all_passes(), named)) << entry.path();
  }
}

}  // namespace
}  // namespace deeper
