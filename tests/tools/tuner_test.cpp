// Measuring the ways to do convolutions, and what comes of the records.
#include "tools/tuner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "ir/parse.h"
#include "tests/unit/lower_support.h"
#include "tools/open.h"

namespace deeper {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGraph = R"(graph "twice" {
  input %x: f32[1,16,12,12]
  const %w: f32[16,16,3,3] = seed(1)
  const %v: f32[24,16,1,1] = seed(2)
  %a: f32[1,16,12,12] = Conv(%x, %w) {pads=[1,1,1,1], activation=relu}
  %b: f32[1,16,12,12] = Conv(%a, %w) {pads=[1,1,1,1], activation=relu}
  %c: f32[1,16,12,12] = Conv(%b, %w) {pads=[1,1,1,1], activation=relu}
  %y: f32[1,24,12,12] = Conv(%c, %v)
  output "y" = %y
})";

TEST(Tuner, MeasuresEveryWayOfEachConvolutionOnce) {
  const ir::Graph graph = ir::parse(kGraph);
  const backend::Target target = backend::detect_target(2, "");
  double last = 0;
  const auto convs = measure_convs(graph, target, {}, 3, [&](std::string_view, double share) {
    EXPECT_GE(share, last);
    last = share;
  });
  EXPECT_DOUBLE_EQ(last, 1);
  ASSERT_EQ(convs.size(), 2U);
  EXPECT_EQ(convs[0].places, 3U);
  EXPECT_EQ(convs[1].places, 1U);
  for (const MeasuredConv& conv : convs) {
    EXPECT_EQ(conv.choices.size(), backend::conv_choices(conv.problem, target, {}).size());
    for (const MeasuredChoice& choice : conv.choices) {
      EXPECT_GT(choice.ns, 0);
      EXPECT_GE(choice.ns, conv.fastest().ns);
    }
    std::set<std::string_view> names;
    for (const MeasuredChoice& choice : conv.choices) names.insert(choice.choice.algorithm->name);
    EXPECT_TRUE(names.contains("onednn"));
    EXPECT_GE(names.size(), 2U);
  }
}

// Whatever is recorded, the plan uses it and its answer is right.
TEST(Tuner, PlansFollowTheRecords) {
  const ir::Graph graph = ir::parse(kGraph);
  const backend::Target target = backend::detect_target(1, "");
  const auto inputs = backend::test::random_inputs(graph, 1);
  const auto expected = backend::test::oracle(graph, inputs);
  const std::vector<MeasuredConv> convs = measure_convs(graph, target, {}, 1, {});
  for (std::size_t way = 0; way < convs[0].choices.size(); ++way) {
    const backend::ConvChoice& choice = convs[0].choices[way].choice;
    backend::ConvRecords records = records_of(convs);
    records.at(convs[0].key) = {.algorithm = std::string(choice.algorithm->name), .tuning = choice.candidate.tuning};
    backend::CompileOptions options;
    options.records = std::make_shared<const backend::ConvRecords>(records);
    const runtime::Plan plan = backend::compile(graph, target, options);
    const auto is_chosen = [&](const runtime::Step& step) {
      return choice.algorithm->kernel == nullptr ? step.kernel.starts_with("onednn")
                                                 : step.tuning == choice.candidate.tuning;
    };
    EXPECT_GE(std::ranges::count_if(plan.steps, is_chosen), 3) << choice.candidate.implementation;
    const auto got = backend::test::run(plan, inputs);
    EXPECT_LT(backend::test::relative_l2(got[0], expected[0].data), 1e-5) << choice.candidate.implementation;
  }
}

class TunedModel : public testing::Test {
 protected:
  fs::path folder = fs::temp_directory_path() / ("deeper_tuned_" + std::to_string(::getpid()));
  TunedModel() {
    fs::create_directories(folder);
    frontend::write_zoo_model("googlenet_bn", folder / "m.onnx", {.size = 64});
  }
  ~TunedModel() override { fs::remove_all(folder); }
};

TEST_F(TunedModel, FullKeepsRecordsThatCachedUses) {
  OpenOptions options;
  options.threads = 1;
  options.tune_file = folder / "tuning.json";
  options.tune = Tune::cached;
  const auto choices = [](const runtime::Plan& plan) {
    std::vector<std::vector<std::int64_t>> all;
    for (const runtime::Step& step : plan.steps) all.push_back(step.tuning);
    return all;
  };
  const runtime::Plan untuned = open_plan(folder / "m.onnx", options);
  EXPECT_FALSE(fs::exists(options.tune_file));
  options.tune = Tune::full;
  const runtime::Plan tuned = open_plan(folder / "m.onnx", options);
  EXPECT_TRUE(fs::exists(options.tune_file));
  options.tune = Tune::cached;
  EXPECT_EQ(choices(open_plan(folder / "m.onnx", options)), choices(tuned));
  options.tune = Tune::off;
  EXPECT_EQ(choices(open_plan(folder / "m.onnx", options)), choices(untuned));
}

}  // namespace
}  // namespace deeper
