// `deeper check` on a pipeline with a wrong pass in it, on kernels that are right, and on two models.
#include "tools/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "frontend/zoo/zoo.h"
#include "ir/error.h"
#include "passes/passes.h"
#include "tests/cli/command.h"

namespace deeper::tools {
namespace {

using ::testing::HasSubstr;

// What fold_batch_norm does, but one of the folded convs loses its bias.
bool fold_batch_norm_and_drop_a_bias(ir::Graph& graph) {
  const bool changed = passes::fold_batch_norm(graph);
  for (const ir::NodeId id : graph.order()) {
    const ir::Node node = graph.node(id);
    if (!std::holds_alternative<ir::Conv>(node.op) || node.inputs.size() < 3) continue;
    graph.rewrite(id, node.op, {node.inputs[0], node.inputs[1]});
    graph.prune();
    return true;
  }
  return changed;
}

std::vector<passes::PassInfo> default_passes() { return {passes::all_passes().begin(), passes::all_passes().end()}; }

class Check : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new tests::TemporaryFolder;
    frontend::write_zoo_model("googlenet_bn", model(), {.seed = 1, .size = 64});
    frontend::write_zoo_model("googlenet_bn", other(), {.seed = 2, .size = 64});
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::string model() { return folder_->file("m.onnx"); }
  static std::string other() { return folder_->file("other.onnx"); }
  static std::string file(const std::string& name) { return folder_->file(name); }

 private:
  inline static tests::TemporaryFolder* folder_ = nullptr;
};

TEST_F(Check, PassesAreRight) { EXPECT_NO_THROW(check_with_oracle(model(), {}, {}, default_passes())); }

// The native max pool, but the first element of what the third inception module pools is wrong.
constexpr const char* kWronglyPooled = "inception4a/branch4/0";

runtime::Executable native_pool(const runtime::Step& step, int threads) {
  const runtime::KernelTable kernels = backend::kernel_table();
  return std::ranges::find(kernels, "native.pool", &runtime::KernelRow::name)->prepare(step, threads);
}

runtime::Executable wrong_pool(const runtime::Step& step, int threads) {
  if (step.name != kWronglyPooled) return native_pool(step, threads);
  const auto run = [](const void* state, runtime::Addresses addresses, runtime::Team team) noexcept {
    const auto* right = static_cast<const runtime::Executable*>(state);
    right->run(right->state.get(), addresses, team);
    *reinterpret_cast<float*>(addresses[1]) += 100;
  };
  return {.run = run, .state = std::make_shared<runtime::Executable>(native_pool(step, threads))};
}

// What check_with_oracle() throws; "" where all is well.
std::string refusal(const std::string& model, const OpenOptions& options, const CheckOptions& check,
                    std::span<const passes::PassInfo> passes) {
  try {
    check_with_oracle(model, options, check, passes);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "";
}

TEST_F(Check, NamesThePassThatDropsABias) {
  std::vector<passes::PassInfo> passes = default_passes();
  std::ranges::find(passes, "fold_batch_norm", &passes::PassInfo::name)->run = fold_batch_norm_and_drop_a_bias;
  const std::string error = refusal(model(), {}, {}, passes);
  EXPECT_THAT(error, HasSubstr("pass 'fold_batch_norm' changes the outputs"));
  EXPECT_THAT(error, HasSubstr("first in value 'conv1"));
}

TEST_F(Check, NamesTheStepWhoseKernelIsWrong) {
  std::vector<runtime::KernelRow> kernels(backend::kernel_table().begin(), backend::kernel_table().end());
  std::ranges::find(kernels, "native.pool", &runtime::KernelRow::name)->prepare = wrong_pool;
  for (const std::int64_t batch : {1, 3}) {  // of more than one some steps run image by image
    OpenOptions options;
    options.threads = 1;
    options.import.dims = {{"N", batch}};
    CheckOptions check;
    EXPECT_EQ(refusal(model(), options, check, default_passes()), "");
    check.kernels = kernels;
    const std::string error = refusal(model(), options, check, default_passes());
    EXPECT_THAT(error, HasSubstr(std::string("step '") + kWronglyPooled + "' (native.pool)"));
    EXPECT_THAT(error, HasSubstr("from what its operands say"));
    EXPECT_THAT(error, HasSubstr("with --kernels onednn"));
  }
}

TEST_F(Check, NamesTheFirstStepWhereNoErrorIsAllowed) {
  OpenOptions options;
  options.threads = 1;
  CheckOptions check;
  check.tolerance = 1e-12;  // which fp32 cannot keep
  EXPECT_THAT(refusal(model(), options, check, {}), HasSubstr("step '"));
}

TEST_F(Check, ComparesTwoModels) {
  EXPECT_NO_THROW(check_against(model(), model(), {}, {}));
  EXPECT_THROW(check_against(model(), other(), {}, {}), ModelError);
}

TEST_F(Check, CommandComparesModelsAndPlans) {
  ASSERT_EQ(tests::run_deeper("compile " + model() + " --threads 1 --passes none -o " + file("m.plan")).status, 0);
  const auto same = tests::run_deeper("check " + model() + " --threads 1 --against " + file("m.plan"));
  EXPECT_EQ(same.status, 0) << same.error;
  EXPECT_THAT(same.out, HasSubstr("values of one name and shape in both: "));
  EXPECT_THAT(same.out, HasSubstr("output '"));
  const auto differs = tests::run_deeper("check " + file("m.plan") + " --against " + other() + " --threads 1");
  EXPECT_EQ(differs.status, 1);
  EXPECT_THAT(differs.error, HasSubstr("more than"));
  EXPECT_EQ(tests::run_deeper("check " + file("m.plan")).status, 1);
}

}  // namespace
}  // namespace deeper::tools
