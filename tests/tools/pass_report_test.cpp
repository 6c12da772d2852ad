// The page of `deeper passes --report`, opened and clicked through in a real browser. A script that this test appends
// does what a reader would and leaves what it saw in the document.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "frontend/zoo/zoo.h"
#include "tests/cli/command.h"
#include "tools/files.h"
#include "tools/graphviz.h"

namespace deeper::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kClicks = R"(<script>
const saw = {worth: [...document.querySelectorAll('#worth tbody tr')].map(r => r.cells[0].textContent),
             remarks: [...document.querySelectorAll('svg.waterfall .remark')].map(t => t.textContent),
             noise: document.querySelectorAll('#variants tr.noise').length,
             rows: document.querySelectorAll('#variants tbody tr').length,
             bars: document.querySelectorAll('svg.waterfall rect').length,
             steps: [...document.querySelectorAll('#steps button')].map(b => b.textContent)};
const column = index => [...document.querySelectorAll('#variants tbody tr')].map(r => Number(r.cells[index].dataset.value));
document.querySelectorAll('#variants th')[2].click();
saw.down = column(2);
document.querySelectorAll('#variants th')[2].click();
saw.up = column(2);
const pick = name => [...document.querySelectorAll('#steps button')].find(b => b.textContent === name)?.click();
const count = query => document.querySelectorAll(query).length;
pick('fold_batch_norm');
saw.summary = document.getElementById('summary')?.textContent;
saw.removed = count('#before g.removed');
saw.changed = count('#after g.changed');
saw.nodes = [count('#before g.node'), count('#after g.node')];
const transform = () => document.querySelector('#before svg')?.style.transform;
saw.transforms = [transform()];
document.getElementById('larger')?.click();
saw.transforms.push(transform());
document.getElementById('before')?.dispatchEvent(new WheelEvent('wheel', {deltaY: -100, clientX: 50, clientY: 50}));
saw.transforms.push(transform());
document.getElementById('goto')?.click();
saw.transforms.push(transform());
document.getElementById('fit')?.click();
saw.transforms.push(transform());
pick('merge_sibling_convs');
saw.added = count('#after g.added');
const result = document.createElement('pre');
result.id = 'saw';
result.textContent = JSON.stringify(saw);
document.body.append(result);
</script></body>)";

bool can_run(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null").c_str()) == 0;
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t at = text.find(begin);
  if (at == std::string::npos) return "";
  const std::size_t start = at + begin.size();
  return text.substr(start, text.find(end, start) - start);
}

// The document as the browser has it after all scripts ran.
std::string browse(const tests::TemporaryFolder& folder, const std::string& page) {
  const std::string command =
      "timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
      "--disable-background-networking --disable-component-update --disable-sync --user-data-dir=" +
      folder.file("profile") + " --dump-dom file://" + page + " > " + folder.file("dom") + " 2> /dev/null";
  return std::system(command.c_str()) == 0 ? read_file(folder.file("dom")) : "";
}

TEST(PassReport, WorksInABrowser) {
  if (!can_run("chromium")) GTEST_SKIP() << "needs chromium";
  if (!can_run("dot")) GTEST_SKIP() << "needs Graphviz";
  const tests::TemporaryFolder folder;
  frontend::write_zoo_model("googlenet_bn", folder / "m.onnx", {.seed = 1, .size = 64});
  const auto command = tests::run_deeper("passes " + folder.file("m.onnx") + " --runs 2 --threads 1 --report " +
                                         folder.file("report.html"));
  ASSERT_EQ(command.status, 0) << command.error;
  std::string page = read_file(folder.file("report.html"));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("href=\"http")));
  page.replace(page.rfind("</body>"), std::string("</body>").size(), kClicks);
  write_file(folder.file("clicked.html"), page);
  const std::string text = between(browse(folder, folder.file("clicked.html")), "<pre id=\"saw\">", "</pre>");
  ASSERT_TRUE(nlohmann::json::accept(text)) << text;
  const auto saw = nlohmann::json::parse(text);
  EXPECT_EQ(saw["rows"], 43);
  EXPECT_EQ(saw["bars"], 16);
  EXPECT_THAT(saw["steps"].get<std::vector<std::string>>(), ::testing::Contains("eliminate_concat"));
  EXPECT_THAT(saw["worth"].get<std::vector<std::string>>(), ::testing::Contains("merge_sibling_convs"));
  EXPECT_THAT(saw["remarks"].get<std::vector<std::string>>(), ::testing::Contains("same plan"));
  EXPECT_THAT(saw["remarks"].get<std::vector<std::string>>(), ::testing::Contains(HasSubstr("inside the noise")));
  EXPECT_GT(saw["noise"], 5) << "two rounds tell nothing";
  const auto down = saw["down"].get<std::vector<double>>();
  EXPECT_TRUE(std::ranges::is_sorted(down, std::greater{}));
  EXPECT_TRUE(std::ranges::is_sorted(saw["up"].get<std::vector<double>>()));
  EXPECT_GT(down.front(), down.back());
  EXPECT_THAT(saw["summary"].get<std::string>(), HasSubstr("fold_batch_norm: 57 nodes removed"));
  EXPECT_EQ(saw["removed"], 57);
  EXPECT_EQ(saw["changed"], 57);
  EXPECT_EQ(saw["nodes"][0].get<int>() - saw["nodes"][1].get<int>(), 57);
  EXPECT_GT(saw["added"], 0);
  const auto transforms = saw["transforms"].get<std::vector<std::string>>();
  for (std::size_t i = 1; i < transforms.size(); ++i) EXPECT_NE(transforms[i], transforms[i - 1]) << i;
}

TEST(PassReport, DrawsWithGraphviz) {
  if (!can_run("dot")) GTEST_SKIP() << "needs Graphviz";
  EXPECT_THAT(draw("digraph { a -> b }").value_or(""), ::testing::StartsWith("<svg"));
  EXPECT_FALSE(draw("no graph").has_value());
}

}  // namespace
}  // namespace deeper::tools
