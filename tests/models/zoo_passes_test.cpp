// The passes on every model of the zoo, at the smallest size its windows allow.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"

namespace deeper {
namespace {

// Rounding of rewritten weights, through the depth of a network.
constexpr double kRoundedWeights = 5e-6;
constexpr double kSame = 1e-9;

struct Member {
  std::string name;
  std::int64_t size;
};

const std::vector<Member> kMembers{
    {"alexnet", 67},      {"googlenet", 80},           {"googlenet_bn", 64},       {"inception_v1_naive", 64},
    {"bn_inception", 64}, {"inception_v2", 96},        {"inception_v2_slim", 64},  {"inception_v3", 112},
    {"inception_v4", 96}, {"inception_resnet_v1", 96}, {"inception_resnet_v2", 96}};

bool rewrites_weights(std::string_view pass) { return pass == "fold_batch_norm" || pass == "fold_affine"; }

class ZooPasses : public testing::TestWithParam<Member> {
 protected:
  ZooPasses() {
    const auto path = std::filesystem::temp_directory_path() / ("deeper_zoo_passes_" + GetParam().name + ".onnx");
    frontend::write_zoo_model(GetParam().name, path, {.seed = 1, .size = GetParam().size});
    original = frontend::import_onnx(path, {});
    std::filesystem::remove(path);
    inputs = test::random_inputs(original, 3);
    expected = ir::evaluate(original, inputs);
  }

  void expect_answer(const ir::Graph& graph, double tolerance) const {
    const std::vector<ir::Array> actual = ir::evaluate(graph, inputs);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LE(test::relative_difference(actual[i], expected[i]), tolerance) << original.outputs()[i].name;
    }
  }

  ir::Graph original;
  std::vector<ir::Array> inputs;
  std::vector<ir::Array> expected;
};

TEST_P(ZooPasses, KeepTheAnswerTogether) {
  ir::Graph graph = original;
  passes::run_passes(graph, passes::default_pipeline());
  ir::verify(graph, ir::Form::optimized);
  expect_answer(graph, kRoundedWeights);

  for (const passes::PassRun& run : passes::run_passes(graph, passes::default_pipeline())) {
    EXPECT_FALSE(run.changed) << run.name << " changes what the pipeline left";
  }
}

TEST_P(ZooPasses, KeepTheAnswerAlone) {
  for (const std::string& name : passes::default_pipeline()) {
    SCOPED_TRACE(name);
    ir::Graph graph = original;
    if (!passes::run_passes(graph, {name}).front().changed) continue;
    expect_answer(graph, rewrites_weights(name) ? kRoundedWeights : kSame);
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooPasses, testing::ValuesIn(kMembers),
                         [](const auto& member) { return member.param.name; });

TEST(ZooPassesList, HasEveryMember) {
  for (const frontend::ZooEntry& entry : frontend::zoo_entries()) {
    EXPECT_NE(std::ranges::find(kMembers, entry.name, &Member::name), kMembers.end()) << entry.name;
  }
}

}  // namespace
}  // namespace deeper
