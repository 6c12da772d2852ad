// The command line as a user meets it: each subcommand once on a real model, then what happens when they get it wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/command.h"
#include "tools/files.h"
#include "tools/npy.h"

namespace deeper::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Cli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    ASSERT_EQ(run_deeper("zoo googlenet_bn --size 64 -o " + model()).status, 0);
    const std::vector<float> image(3 * 64 * 64, 0.25F);
    tools::write_npy(*folder_ / "x.npy", {1, 3, 64, 64}, image);
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::string model() { return folder_->file("m.onnx"); }
  static std::string file(const std::string& name) { return folder_->file(name); }
  static std::string folder() { return folder_->path().string(); }

  // One clear line on standard error, nothing on standard output, and the status.
  static void expect_refused(const std::string& arguments, int status, const std::string& text) {
    const CommandResult result = run_deeper(arguments);
    EXPECT_EQ(result.status, status) << arguments << "\n" << result.error;
    EXPECT_THAT(result.error, HasSubstr(text)) << arguments;
    EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << arguments << "\n" << result.error;
    EXPECT_THAT(result.out, IsEmpty()) << arguments;
  }

 private:
  inline static TemporaryFolder* folder_ = nullptr;
};

TEST_F(Cli, ListsTheZoo) {
  const CommandResult result = run_deeper("zoo");
  EXPECT_EQ(result.status, 0);
  for (const char* name :
       {"alexnet", "googlenet", "googlenet_bn", "inception_v1_naive", "bn_inception", "inception_v2",
        "inception_v2_slim", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string(name) + " "));
  }
}

TEST_F(Cli, ModelAndPlanGiveTheSameBits) {
  ASSERT_EQ(run_deeper("compile " + model() + " --threads 1 -o " + file("m.plan")).status, 0);
  ASSERT_EQ(
      run_deeper("run " + model() + " --threads 1 --input " + file("x.npy") + " --output " + file("a.npy")).status, 0);
  ASSERT_EQ(run_deeper("run " + file("m.plan") + " --input " + file("x.npy") + " --output " + file("b.npy")).status, 0);
  EXPECT_EQ(tools::read_file(file("a.npy")), tools::read_file(file("b.npy")));
  const tools::NpyArray y = tools::read_npy(file("a.npy"));
  EXPECT_EQ(y.shape, (ir::Shape{1, 1000}));
  double sum = 0;
  for (const double p : y.data) sum += p;
  EXPECT_NEAR(sum, 1.0, 1e-4);
}

TEST_F(Cli, PlanUnderACapRunsWithoutNamingIt) {
  ASSERT_EQ(run_deeper("compile " + model() + " --threads 1 --isa avx2 --kernels onednn -o " + file("c.plan")).status,
            0);
  const CommandResult result =
      run_deeper("run " + file("c.plan") + " --input " + file("x.npy") + " --output " + file("c.npy"));
  EXPECT_EQ(result.status, 0) << result.error;
  EXPECT_EQ(tools::read_npy(file("c.npy")).shape, (ir::Shape{1, 1000}));
}

TEST_F(Cli, FolderOutputNamesEveryOutput) {
  ASSERT_EQ(run_deeper("zoo googlenet -o " + file("g.onnx")).status, 0);
  const std::vector<float> image(3 * 224 * 224, 0.5F);
  tools::write_npy(file("g.npy"), {1, 3, 224, 224}, image);
  ASSERT_EQ(run_deeper("run " + file("g.onnx") + " --input " + file("g.npy") + " --output " + file("outputs")).status,
            0);
  const auto names = nlohmann::json::parse(tools::read_file(file("outputs/outputs.json")));
  ASSERT_THAT(names, SizeIs(3));
  for (int k = 0; k < 3; ++k) {
    EXPECT_EQ(tools::read_npy(file("outputs/" + std::to_string(k) + ".npy")).shape, (ir::Shape{1, 1000}));
  }
}

TEST_F(Cli, BatchComesFromTheTensorOrTheFlag) {
  tools::write_npy(file("x3.npy"), {3, 3, 64, 64}, std::vector<float>(3 * 3 * 64 * 64, 0.1F));
  ASSERT_EQ(run_deeper("run " + model() + " --input " + file("x3.npy") + " --output " + file("y3.npy")).status, 0);
  EXPECT_EQ(tools::read_npy(file("y3.npy")).shape, (ir::Shape{3, 1000}));
  const CommandResult bench = run_deeper("bench " + model() + " --dim N=2 --runs 2 --json");
  ASSERT_EQ(bench.status, 0) << bench.error;
  EXPECT_EQ(nlohmann::json::parse(bench.out)["batch"], 2);
}

TEST_F(Cli, BenchJsonHasTheStableKeys) {
  const CommandResult result = run_deeper("bench " + model() + " --runs 3 --threads 1 --json");
  ASSERT_EQ(result.status, 0) << result.error;
  const auto report = nlohmann::json::parse(result.out);
  for (const char* key :
       {"model", "batch", "threads", "runs", "p50_ms", "p90_ms", "p99_ms", "min_ms", "first_inference_ms", "load_ms",
        "compile_ms", "arena_bytes", "weights_bytes", "plain_weights_bytes", "gmac", "gflops", "kernels", "cpu"}) {
    EXPECT_TRUE(report.contains(key)) << key;
  }
  EXPECT_LE(report["min_ms"], report["p50_ms"]);
  EXPECT_LE(report["p50_ms"], report["p99_ms"]);
  EXPECT_EQ(report["runs"], 3);
}

TEST_F(Cli, MemoryLowKeepsWeightsFromGrowing) {
  const auto report = [](const std::string& flags) {
    return nlohmann::json::parse(run_deeper("bench " + model() + " --runs 1 --threads 1 --json" + flags).out);
  };
  // On AMX weights take three bytes instead of four.
  const nlohmann::json any = report(" --isa avx2");
  const nlohmann::json low = report(" --memory low");
  const double plain = any["plain_weights_bytes"];
  EXPECT_EQ(low["plain_weights_bytes"], plain);
  EXPECT_GT(any["weights_bytes"], 1.05 * plain);
  EXPECT_GE(low["weights_bytes"], 0.75 * plain);
  EXPECT_LT(low["weights_bytes"], 1.01 * plain);
}

TEST_F(Cli, InspectShowsEveryStage) {
  for (const char* stage : {"imported", "after:fold_batch_norm", "optimized", "plan"}) {
    const CommandResult result = run_deeper("inspect " + model() + " --stage " + stage);
    EXPECT_EQ(result.status, 0) << result.error;
    EXPECT_GT(result.out.size(), 1000U) << stage;
  }
  EXPECT_THAT(run_deeper("inspect " + model() + " --stage imported").out, HasSubstr("= BatchNorm("));
  EXPECT_THAT(run_deeper("inspect " + model()).out, ::testing::Not(HasSubstr("= BatchNorm(")));
  EXPECT_TRUE(nlohmann::json::accept(run_deeper("inspect " + model() + " --format json").out));
  EXPECT_THAT(run_deeper("inspect " + model() + " --format dot").out, ::testing::StartsWith("digraph"));
}

TEST_F(Cli, CheckAgreesAndProfileCoversEveryStep) {
  const CommandResult check = run_deeper("check " + model());
  EXPECT_EQ(check.status, 0) << check.error;
  const CommandResult profile = run_deeper("profile " + model() + " --runs 1 --json --trace " + file("t.json") +
                                           " --roofline " + file("roofline.svg"));
  ASSERT_EQ(profile.status, 0) << profile.error;
  const auto report = nlohmann::json::parse(profile.out);
  const auto trace = nlohmann::json::parse(tools::read_file(file("t.json")));
  EXPECT_EQ(report["steps"].size(), trace["traceEvents"].size());
  double share = 0;
  for (const auto& op : report["by_op"]) share += op["share"].get<double>();
  EXPECT_NEAR(share, 1, 1e-9);
  EXPECT_GT(report["machine"]["gflops"], 0);
  EXPECT_FALSE(report["by_pass"].empty());
  EXPECT_TRUE(report.contains("overhead"));
  EXPECT_FALSE(report["steps"][1]["origins"].empty());
  const CommandResult text = run_deeper("profile " + model() + " --runs 1");
  EXPECT_THAT(text.out, HasSubstr("furthest from the roofline: "));
  EXPECT_THAT(text.out, HasSubstr("conv1/Relu from .../Relu, .../BatchNorm, .../Conv"));
  EXPECT_THAT(text.out, HasSubstr("profiling adds"));
  EXPECT_THAT(tools::read_file(file("roofline.svg")), ::testing::StartsWith("<svg"));
}

TEST_F(Cli, TuningKeepsRecordsThatLaterCompilationsUse) {
  const std::string records = " --threads 1 --tune-file " + file("tuning.json");
  ASSERT_EQ(run_deeper("compile " + model() + " --tune full" + records + " -o " + file("full.plan")).status, 0);
  EXPECT_THAT(tools::read_file(file("tuning.json")),
              HasSubstr("window 3x3"));  // the fastest way is the machine's to say
  ASSERT_EQ(run_deeper("compile " + model() + " --tune cached" + records + " -o " + file("cached.plan")).status, 0);
  EXPECT_EQ(run_deeper("inspect " + file("cached.plan") + " --stage plan").out,
            run_deeper("inspect " + file("full.plan") + " --stage plan").out);
  expect_refused("compile " + file("full.plan") + " --tune cached -o " + file("again.plan"), 1, "plan");
  expect_refused("bench " + file("full.plan") + " --tune cached" + records, 1, "tune");
  expect_refused("compile " + model() + " --tune sometimes -o " + file("t.plan"), 2, "--tune");
  std::ofstream(file("junk.json")) << "{";
  expect_refused("compile " + model() + " --tune cached --tune-file " + file("junk.json") + " -o " + file("t.plan"), 1,
                 "junk.json");
  expect_refused("compile " + model() + " --tune full --tune-file " + file("junk.json") + " -o " + file("t.plan"), 1,
                 "junk.json");
}

TEST_F(Cli, WrongUsageIsStatusTwo) {
  expect_refused("check " + model() + " --tolerance 0", 2, "is no number above 0: 0 (see 'deeper check --help')");
  expect_refused("passes " + model() + " --passes fold_pad,", 2, "ends with a comma");
  expect_refused("inspect " + model() + " --stage after:nope", 2, "no pass 'nope'");
  expect_refused("inspect " + model() + " --format svg", 2, "--format");
  expect_refused("--frobnicate", 2, "--frobnicate");
  expect_refused("frobnicate", 2, "frobnicate");
  expect_refused("", 2, "subcommand");
  expect_refused("run " + model(), 2, "--input");
  expect_refused("bench " + model() + " --threads 0", 2, "--threads");
  expect_refused("bench " + model() + " --threads many", 2, "--threads");
  expect_refused("bench " + model() + " --dim N=zero", 2, "--dim");
  expect_refused("bench " + model() + " --disable no_such_pass", 2, "no_such_pass");
  expect_refused("bench " + model() + " --passes fold_constants,no_such_pass", 2, "no_such_pass");
  expect_refused("inspect " + model() + " --stage later", 2, "later");
  expect_refused("compile " + model(), 2, "-o");
}

TEST_F(Cli, InputAtFaultIsStatusOne) {
  std::ofstream(file("junk.onnx")) << "this is no model";
  std::ofstream(file("junk.npy")) << "this is no array";
  expect_refused("bench " + file("absent.onnx"), 1, "absent.onnx");
  expect_refused("bench " + file("junk.onnx"), 1, "junk.onnx");
  expect_refused("bench " + folder(), 1, folder());
  expect_refused("zoo inception_v9 -o " + file("v9.onnx"), 1, "inception_v9");
  expect_refused("run " + model() + " --input " + file("junk.npy") + " --output " + file("y.npy"), 1, "junk.npy");
  expect_refused("run " + model() + " --input nothing=" + file("x.npy") + " --input other=" + file("x.npy") +
                     " --output " + file("y.npy"),
                 1, "nothing");
  expect_refused("bench " + model() + " --output no_such_value", 1, "no_such_value");
  expect_refused("bench " + model() + " --dim M=4", 1, "M");
  expect_refused("bench " + model() + " --kernels no_such_kernel", 1, "no_such_kernel");
  expect_refused("compile " + model() + " -o " + file("no/such/folder.plan"), 1, "folder.plan");
  EXPECT_FALSE(std::filesystem::exists(file("v9.onnx")));
  EXPECT_FALSE(std::filesystem::exists(file("y.npy")));
}

TEST_F(Cli, TruncatedModelAndPlanAreRefused) {
  const std::string model_bytes = tools::read_file(model());
  ASSERT_EQ(run_deeper("compile " + model() + " -o " + file("whole.plan")).status, 0);
  const std::string plan_bytes = tools::read_file(file("whole.plan"));
  for (const double share : {0.001, 0.3, 0.999}) {
    tools::write_file(file("cut.onnx"),
                      model_bytes.substr(0, static_cast<std::size_t>(share * static_cast<double>(model_bytes.size()))));
    tools::write_file(file("cut.plan"),
                      plan_bytes.substr(0, static_cast<std::size_t>(share * static_cast<double>(plan_bytes.size()))));
    expect_refused("bench " + file("cut.onnx"), 1, "cut.onnx");
    expect_refused("bench " + file("cut.plan"), 1, "cut.plan");
  }
}

TEST_F(Cli, RefusesAPlaceThatCannotBeWrittenBeforeTheWork) {
  expect_refused("passes " + model() + " --report " + file("absent/r.html"), 1, "cannot write");
  expect_refused("passes " + model() + " --report " + folder(), 1, "Is a directory");
  expect_refused("profile " + model() + " --trace " + file("absent/t.json"), 1, "cannot write");
  expect_refused("profile " + model() + " --roofline " + file("absent/r.svg"), 1, "cannot write");
}

}  // namespace
}  // namespace deeper::tests
