// What `deeper passes` measures, on a network small enough to compile dozens of times.
#include "tools/pass_study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "frontend/zoo/zoo.h"
#include "tests/cli/command.h"
#include "tools/statistics.h"

namespace deeper::tools {
namespace {

using ::testing::HasSubstr;

TEST(Statistics, MedianIntervalComesFromTheBinomialDistribution) {
  std::vector<double> samples;
  for (int i = 20; i > 0; --i) samples.push_back(i);
  const Interval interval = median_interval(samples, 0.025);
  EXPECT_EQ(interval.low, 6);  // P(5 heads or fewer in 20 throws) = 0.021, 6 or fewer: 0.058
  EXPECT_EQ(interval.median, 10.5);
  EXPECT_EQ(interval.high, 15);
  EXPECT_EQ(median_interval(samples, 0.005).low, 4);  // 3 or fewer: 0.0013, 4 or fewer: 0.0059
  EXPECT_EQ(median_interval({3, 1, 2}, 0.025).low, 1);
  EXPECT_EQ(median_interval({3, 1, 2}, 0.025).high, 3);
  EXPECT_EQ(median({7}), 7);
  samples.assign(5000, 2.0);
  EXPECT_TRUE(median_interval(samples, 0.025).contains(2.0));
}

class PassStudy : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new tests::TemporaryFolder;
    frontend::write_zoo_model("googlenet_bn", *folder_ / "m.onnx", {.seed = 1, .size = 64});
    OpenOptions options;
    options.threads = 1;
    study_ = new Study(study_passes(frontend::import_model(*folder_ / "m.onnx", {}), options, {.runs = 2, .pin = false},
                                    [](std::string_view) {}));
  }
  static void TearDownTestSuite() {
    delete study_;
    delete folder_;
  }
  static const Study& study() { return *study_; }
  static const Build& build(Selection selection, std::string_view pass) {
    for (const Variant& variant : study().variants) {
      if (variant.selection == selection && variant.pass == pass) return study().builds[variant.build];
    }
    throw std::out_of_range("no such variant");
  }
  static std::string file(const std::string& name) { return folder_->file(name); }

 private:
  inline static tests::TemporaryFolder* folder_ = nullptr;
  inline static Study* study_ = nullptr;
};

TEST_F(PassStudy, HasEveryPassInEverySelectionAndCompilesEqualGraphsOnce) {
  EXPECT_EQ(study().variants.size(), 1 + 3 * passes::all_passes().size());
  EXPECT_LT(study().builds.size(), study().variants.size());
  EXPECT_GT(study().builds.size(), 5U);
  for (const Build& b : study().builds) EXPECT_EQ(b.run_ms.size(), 2U);
}

TEST_F(PassStudy, CountsWhatPassesDo) {
  const Build& none = build(Selection::none, "");
  const Build& all = study().builds[study().optimized().build];
  EXPECT_EQ(none.convolutions, 57);
  EXPECT_EQ(all.convolutions, 39);
  EXPECT_EQ(build(Selection::without, "merge_sibling_convs").convolutions, 57);
  EXPECT_EQ(build(Selection::alone, "merge_sibling_convs").convolutions, 39);
  EXPECT_EQ(none.multiply_adds, all.multiply_adds);
  EXPECT_LT(all.bytes_moved, none.bytes_moved / 2);
  EXPECT_LT(all.steps, none.steps);
  EXPECT_LT(build(Selection::up_to, "fuse_activation").nodes, build(Selection::up_to, "merge_sibling_convs").nodes);
}

TEST_F(PassStudy, KeepsTheOraclesAnswerInEveryBuild) {
  for (const Build& b : study().builds) EXPECT_LT(b.difference, 2e-5);
}

TEST_F(PassStudy, APassThatFindsNothingIsWorthNothing) {
  for (const Variant& variant : study().variants) {
    EXPECT_FALSE(variant.is_significant) << "after two rounds";
    if (variant.pass != "fuse_residual") continue;
    EXPECT_FALSE(variant.changes_plan());
    EXPECT_EQ(variant.gain_ms.median, 0);
  }
}

TEST_F(PassStudy, ControlIsTheOptimizedPlanOnceMore) {
  const Build& all = study().builds[study().optimized().build];
  const Build& control = study().builds.back();
  EXPECT_NE(&all, &control);
  EXPECT_EQ(all.steps, control.steps);
  EXPECT_EQ(all.bytes_moved, control.bytes_moved);
  for (const Variant& variant : study().variants) EXPECT_LT(variant.build, study().builds.size() - 1);
}

TEST_F(PassStudy, RanksWhatThePipelineWouldMissMost) {
  const std::vector<PassWorth> worths = ranking(study());
  ASSERT_GT(worths.size(), 3U);
  for (std::size_t i = 0; i < worths.size(); ++i) {
    EXPECT_EQ(worths[i].without->pass, worths[i].pass);
    EXPECT_EQ(worths[i].alone->pass, worths[i].pass);
    EXPECT_NE(worths[i].pass, "fuse_residual");
  }
  EXPECT_TRUE(std::ranges::is_sorted(worths, std::ranges::greater{},
                                     [](const PassWorth& worth) { return worth.without->gain_ms.median; }));
}

TEST_F(PassStudy, SaysWhatIsInsideTheNoise) {
  const auto result = tests::run_deeper("passes " + file("m.onnx") + " --runs 1 --threads 1");
  ASSERT_EQ(result.status, 0) << result.error;
  EXPECT_THAT(result.out, HasSubstr("inside the noise"));
  EXPECT_THAT(result.out, HasSubstr("what each pass is worth"));
  EXPECT_THAT(result.out, HasSubstr("the same plan compiled twice differs by"));
}

TEST_F(PassStudy, CommandPrintsTheSameAsJson) {
  const auto result = tests::run_deeper("passes " + file("m.onnx") + " --runs 1 --threads 1 --json");
  ASSERT_EQ(result.status, 0) << result.error;
  const auto report = nlohmann::json::parse(result.out);
  ASSERT_EQ(report["variants"].size(), study().variants.size());
  for (std::size_t i = 0; i < study().variants.size(); ++i) {
    const Variant& variant = study().variants[i];
    EXPECT_EQ(report["variants"][i]["pipeline"], to_string(variant.selection));
    EXPECT_EQ(report["variants"][i]["pass"], variant.pass);
    EXPECT_EQ(report["variants"][i]["nodes"], study().builds[variant.build].nodes);
    for (const char* key : {"convolutions", "multiply_adds", "steps", "weights_bytes", "arena_bytes", "latency_ms",
                            "difference", "gain_ms"}) {
      EXPECT_TRUE(report["variants"][i].contains(key)) << key;
    }
    EXPECT_FALSE(report["variants"][i]["significant"]) << "after one round";
    EXPECT_EQ(report["variants"][i]["bytes_moved"], study().builds[variant.build].bytes_moved);
  }
}

TEST_F(PassStudy, PipelineComesFromAFile) {
  std::ofstream(file("pipeline")) << "# what an importer leaves\nfold_constants\n\n  fold_batch_norm  # and this\n";
  const std::string command = "passes " + file("m.onnx") + " --runs 1 --threads 1 --passes @" + file("pipeline");
  const auto result = tests::run_deeper(command);
  ASSERT_EQ(result.status, 0) << result.error;
  EXPECT_THAT(result.out, HasSubstr("fold_batch_norm"));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("fuse_activation")));
  std::ofstream(file("pipeline")) << "fold_constants\nno_such_pass\n";
  EXPECT_EQ(tests::run_deeper(command).status, 2);
  EXPECT_EQ(tests::run_deeper("bench " + file("m.onnx") + " --passes @" + file("absent")).status, 1);
}

TEST(PassList, PrintsTheRegistry) {
  const auto result = tests::run_deeper("passes --list");
  ASSERT_EQ(result.status, 0) << result.error;
  for (const passes::PassInfo& pass : passes::all_passes()) {
    EXPECT_THAT(result.out, HasSubstr(std::string(pass.name) + " "));
    EXPECT_THAT(result.out, HasSubstr(std::string(pass.summary)));
    EXPECT_THAT(result.out, HasSubstr(std::string(pass.exact_when)));
  }
  EXPECT_EQ(tests::run_deeper("passes").status, 2);
}

}  // namespace
}  // namespace deeper::tools
