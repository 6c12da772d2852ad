// The passes together, on the modules of the family in tests/graphs: whatever runs, in whatever combination, the
// answer stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "ir/error.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"

namespace deeper {
namespace {

// Room for the rounding of weights that passes rewrite, once per pass.
constexpr double kRoundedWeights = 2e-6;

ir::Graph read_graph(const std::string& name) {
  const auto path = std::filesystem::path(DEEPER_SOURCE_DIR) / "tests" / "graphs" / (name + ".ir");
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  return ir::parse(text.str());
}

class Pipeline : public testing::TestWithParam<std::string> {
 protected:
  void expect_answer_after(const passes::Pipeline& pipeline) {
    SCOPED_TRACE(testing::PrintToString(pipeline));
    ir::Graph graph = original;
    passes::run_passes(graph, pipeline);
    test::expect_agreement(graph, original, kRoundedWeights);
  }

  const ir::Graph original = read_graph(GetParam());
};

TEST_P(Pipeline, EveryPassAloneKeepsTheAnswer) {
  for (const passes::PassInfo& pass : passes::all_passes()) expect_answer_after({std::string(pass.name)});
}

TEST_P(Pipeline, WithoutOnePassKeepsTheAnswer) {
  for (const std::string& name : passes::default_pipeline()) expect_answer_after(passes::without(std::array{name}));
}

TEST_P(Pipeline, AnySubsetInAnyOrderKeepsTheAnswer) {
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    passes::Pipeline pipeline = passes::default_pipeline();
    std::ranges::shuffle(pipeline, random);
    pipeline.resize(std::uniform_int_distribution<std::size_t>(1, pipeline.size())(random));
    expect_answer_after(pipeline);
  }
}

TEST_P(Pipeline, WholeGivesTheOptimizedForm) {
  ir::Graph graph = original;
  passes::run_passes(graph, passes::default_pipeline());
  EXPECT_NO_THROW(ir::verify(graph, ir::Form::optimized));
  EXPECT_LT(graph.order().size(), original.order().size());
  test::expect_agreement(graph, original, kRoundedWeights);
}

TEST_P(Pipeline, SecondRunChangesNothing) {
  ir::Graph graph = original;
  passes::run_passes(graph, passes::default_pipeline());
  const std::string once = ir::print(graph);
  for (const passes::PassRun& run : passes::run_passes(graph, passes::default_pipeline())) {
    EXPECT_FALSE(run.changed) << run.name;
  }
  EXPECT_EQ(ir::print(graph), once);
}

INSTANTIATE_TEST_SUITE_P(Modules, Pipeline,
                         testing::Values("inception_v1", "inception_v3", "inception_resnet", "nhwc_islands",
                                         "quantised"),
                         [](const auto& name) { return name.param; });

TEST(NhwcIslands, KeepOneTransposeAtTheInput) {
  ir::Graph graph = read_graph("nhwc_islands");
  passes::run_passes(graph, passes::default_pipeline());
  std::vector<std::string> transposes;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (std::holds_alternative<ir::Transpose>(node.op)) transposes.push_back(graph.value(node.inputs[0]).name);
  }
  EXPECT_THAT(transposes, testing::ElementsAre("image"));
}

TEST(FoldConstants, LeavesResultsBeyondTheCap) {
  ir::Graph graph = ir::parse(R"(graph "cap" {
  input %x: f32[1]
  const %c: f32[1] = {1}
  %large: f32[67108865] = Expand(%c) {shape=[67108865]} "large"
  %y: f32[67108865] = Binary(%x, %large) "y"
  output "y" = %y
}
)");
  EXPECT_FALSE(passes::fold_constants(graph));
}

TEST(Registry, ParsesListsOfPasses) {
  EXPECT_EQ(passes::parse_pipeline(""), passes::Pipeline{});
  EXPECT_EQ(passes::parse_pipeline("fold_pad,fold_constants"), (passes::Pipeline{"fold_pad", "fold_constants"}));
  for (const std::string_view wrong : {"fold_pads", "fold_pad,", ",fold_pad", "fold_pad, fold_constants"}) {
    EXPECT_THROW(passes::parse_pipeline(wrong), ModelError) << wrong;
  }
  EXPECT_THROW(passes::without(std::array<std::string, 1>{"nonsense"}), ModelError);
}

TEST(RunPasses, StopsAfterAPassAndTellsOfEach) {
  ir::Graph graph = read_graph("inception_v1");
  std::vector<std::string> seen;
  const auto observe = [&](const passes::PassRun& run, const ir::Graph&) { seen.push_back(run.name); };
  const auto runs = passes::run_passes(graph, passes::default_pipeline(), {observe, "eliminate_identity"});
  EXPECT_THAT(seen, testing::ElementsAre("fold_constants", "eliminate_identity"));
  EXPECT_TRUE(runs.back().changed);
  EXPECT_THROW(passes::run_passes(graph, {"fold_pad"}, {{}, "fold_constants"}), ModelError);
}

}  // namespace
}  // namespace deeper
