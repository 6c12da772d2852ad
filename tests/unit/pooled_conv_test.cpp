// Steps that compute a pool with the convolution before or behind it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "backend/kernels/conv_kernels.h"
#include "backend/kernels/native_pool.h"
#include "ir/error.h"
#include "runtime/plan_file.h"
#include "tests/unit/conv_case.h"
#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

using backend::testing::pick;
using backend::testing::vector_isas;

// So small a cache that every convolution's result leaves it.
Target small_target(Isa isa, int threads) {
  Target target = target_for(threads);
  target.isa = isa;
  target.l2_bytes = 1 << 10;
  return target;
}

struct Shapes {
  std::int64_t batch, inputs, outputs, height, width, kernel, pad;
};

// A convolution and a pool, in this order or the other one.
ir::Graph random_graph(std::mt19937& random, bool pool_first) {
  const Shapes s{.batch = pick(random, {1, 1, 3}),
                 .inputs = pick(random, {3, 8, 20, 32}),
                 .outputs = pick(random, {8, 16, 24, 64, 72}),
                 .height = pick(random, {7, 12, 23, 30}),
                 .width = pick(random, {8, 12, 16, 24, 25}),
                 .kernel = pool_first ? 1 : pick(random, {3, 3, 5}),
                 .pad = pool_first ? 0 : pick(random, {0, 1})};
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", {ir::DataType::f32, {s.batch, s.inputs, s.height, s.width}});
  const ir::ValueId weights = graph.add_constant("w", ir::Tensor::seeded({s.outputs, s.inputs, s.kernel, s.kernel}, 1));
  const ir::ValueId bias = graph.add_constant("b", ir::Tensor::seeded({s.outputs}, 2));
  const ir::Conv conv{.pads = {s.pad, s.pad, s.pad, s.pad},
                      .activation = {.function = random() % 2 == 0 ? ir::Function::relu : ir::Function::identity}};
  const std::int64_t pads = pick(random, {0, 1});
  const ir::Pool pool{.kernel = {pick(random, {2, 3}), 3},
                      .strides = {pick(random, {1, 2, 3}), pick(random, {1, 2})},
                      .pads = {pads, 1, 0, pads},
                      .ceil_mode = random() % 2 == 0};
  if (pool_first) {
    const ir::ValueId pooled = graph.add_node(pool, {x}, "pool");
    graph.add_output("y", graph.add_node(conv, {pooled, weights, bias}, "conv"));
  } else {
    const ir::ValueId convolved = graph.add_node(conv, {x, weights, bias}, "conv");
    graph.add_output("y", graph.add_node(pool, {convolved}, "pool"));
  }
  return graph;
}

const runtime::Step* find_pooled(const runtime::Plan& plan) {
  const auto found =
      std::ranges::find_if(plan.steps, [](const runtime::Step& step) { return step.operand_pool || step.result_pool; });
  return found != plan.steps.end() ? &*found : nullptr;
}

// Graphs, on every kernel that pools, agree with the oracle; gives how many were one step.
int expect_right_where_pooled(bool pool_first, int graphs) {
  std::mt19937 random(pool_first ? 1 : 2);
  int pooled = 0;
  for (int i = 0; i < graphs; ++i) {
    const ir::Graph graph = random_graph(random, pool_first);
    const Tensors inputs = random_inputs(graph, static_cast<unsigned>(i));
    const std::vector<ir::Array> expected = oracle(graph, inputs);
    for (const ConvKernel& kernel : conv_kernels()) {
      if ((pool_first ? kernel.operand_pooled : kernel.result_pooled) == nullptr) continue;
      for (const Isa isa : vector_isas()) {
        const int threads = 1 + static_cast<int>(random() % 3);
        const runtime::Plan plan =
            compile(graph, small_target(isa, threads), CompileOptions{.force = std::string(kernel.name)});
        if (find_pooled(plan) == nullptr) continue;
        ++pooled;
        EXPECT_LE(relative_l2(run(plan, inputs)[0], expected[0].data), 1e-5) << dump_plan(plan);
      }
    }
  }
  return pooled;
}

TEST(PooledConv, OfAPooledResultAgreesWithTheOracle) { EXPECT_GT(expect_right_where_pooled(false, 120), 40); }

TEST(PooledConv, OfAPooledOperandAgreesWithTheOracle) { EXPECT_GT(expect_right_where_pooled(true, 60), 40); }

constexpr std::string_view kPooled = R"(graph "pooled" {
  input %x: f32[1,32,24,24]
  input %e: f32[1,16,9,9]
  const %w: f32[64,32,3,3] = seed(1)
  const %v: f32[32,64,1,1] = seed(2)
  buffer $cat[48]
  %c: f32[1,64,24,24] = Conv(%x, %w) {pads=[1,1,1,1], activation=relu}
  %p: f32[1,64,11,11] = Pool(%c) {kernel=[3,3], strides=[2,2]}
  %q: f32[1,64,9,9] = Pool(%p) {kernel=[3,3]}
  %d: f32[1,32,9,9] in $cat[0] = Conv(%q, %v)
  %f: f32[1,16,9,9] in $cat[32] = Unary(%e) {function=relu}
  %y: f32[1,48,9,9] in $cat[0] = Concat(%d, %f) {axis=1}
  output "y" = %y
})";

// The second convolution on the direct kernel, the first one on what is fastest.
runtime::Plan pooled_plan(int threads, const CompileOptions& options = {.force = "direct"}) {
  return compile(ir::parse(kPooled), small_target(Isa::avx2, threads), options);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(PooledConv, TakesThePoolsAroundIt) {
  for (const int threads : {1, 2, 5}) {
    const runtime::Plan plan = pooled_plan(threads);
    const ir::Graph graph = ir::parse(kPooled);
    const Tensors inputs = random_inputs(graph, 3);
    EXPECT_LE(relative_l2(run(plan, inputs)[0], oracle(graph, inputs)[0].data), 1e-5) << dump_plan(plan);
    std::vector<std::string> names;
    for (const runtime::Step& step : plan.steps) {
      if (step.operand_pool || step.result_pool) names.push_back(step.name);
    }
    EXPECT_THAT(names, ::testing::Contains("q + d")) << dump_plan(plan);
    if (threads == 1) {
      EXPECT_THAT(names, ::testing::Contains("c + p")) << dump_plan(plan);
    }
  }
}

TEST(PooledConv, IsTwoStepsWhereOthersReadWhatIsPooledOrPoolsAreNotWanted) {
  const ir::Graph shown =
      ir::parse(replaced(std::string(kPooled), "output", "output \"c\" = %c\n  output \"q\" = %q\n  output"));
  EXPECT_EQ(find_pooled(compile(shown, small_target(Isa::avx2, 1), {})), nullptr);
  EXPECT_EQ(find_pooled(pooled_plan(1, {.pools_with_convs = false, .force = "direct"})), nullptr);
  EXPECT_EQ(find_pooled(pooled_plan(1, {.force = "brgemm"})), nullptr);
}

TEST(PooledConv, OfSmallResultsLeavesTheirPoolAlone) {
  Target target = small_target(Isa::avx2, 1);
  target.l2_bytes = 1 << 20;
  const runtime::Plan plan = compile(ir::parse(kPooled), target, {});
  for (const runtime::Step& step : plan.steps) EXPECT_FALSE(step.result_pool) << dump_plan(plan);
}

TEST(PooledConv, ComesBackFromAPlanFile) {
  const runtime::Plan plan = pooled_plan(1);
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("deeper_pooled_{}.plan", getpid());
  runtime::save_plan(plan, path);
  const runtime::Plan loaded = runtime::load_plan(path);
  std::filesystem::remove(path);
  EXPECT_EQ(dump_plan(loaded), dump_plan(plan));
  const Tensors inputs = random_inputs(ir::parse(kPooled), 3);
  EXPECT_EQ(run(loaded, inputs), run(plan, inputs));
}

std::string complaint_about(const runtime::Plan& plan) {
  try {
    const runtime::Program program(plan, kernel_table());
  } catch (const ModelError& error) {
    return error.what();
  }
  return "";
}

TEST(PooledConv, OfADamagedPlanIsRefused) {
  const auto changed = [](auto change) {
    runtime::Plan plan = pooled_plan(1);
    for (runtime::Step& step : plan.steps) {
      if (step.operand_pool || step.result_pool) change(step);
    }
    return complaint_about(plan);
  };
  using ::testing::HasSubstr;
  EXPECT_EQ(changed([](runtime::Step&) {}), "");
  EXPECT_THAT(changed([](runtime::Step& step) { step.kernel = "native.copy"; }), HasSubstr("cannot pool"));
  EXPECT_THAT(changed([](runtime::Step& step) { step.kernel = "brgemm"; }), HasSubstr("cannot pool"));
  EXPECT_THAT(changed([](runtime::Step& step) { step.result_pool.reset(); }), HasSubstr("does not fit"));
  EXPECT_THAT(changed([](runtime::Step& step) { step.operand_pool.reset(); }), HasSubstr("does not fit"));
  EXPECT_THAT(changed([](runtime::Step& step) {
                if (step.operand_pool) step.operand_pool->kind = ir::PoolKind::average;
              }),
              HasSubstr("cannot pool"));
  EXPECT_THAT(changed([](runtime::Step& step) { step.scratch.bytes = 64; }), HasSubstr("too little scratch"));
  EXPECT_THAT(changed([](runtime::Step& step) {
                if (step.operand_pool) ++step.tuning[1];
              }),
              HasSubstr("cannot pool"));
}

TEST(RowPool, JoinsRowsThatComeAFewAtATime) {
  std::mt19937 random(4);
  for (int i = 0; i < 100; ++i) {
    const std::int64_t channels = pick(random, {1, 8, 20, 64, 70});
    const std::int64_t pixel = channels + pick(random, {0, 5});
    const ir::Extent2 input{pick(random, {3, 8, 17}), pick(random, {3, 9, 16})};
    const ir::Pool op{.kernel = {pick(random, {1, 2, 3}), pick(random, {1, 3})},
                      .strides = {pick(random, {1, 2, 4}), pick(random, {1, 2, 3})}};
    const ir::Extent2 output{(input[0] - op.kernel[0]) / op.strides[0] + 1,
                             (input[1] - op.kernel[1]) / op.strides[1] + 1};
    std::vector<float> x(static_cast<std::size_t>(input[0] * input[1] * pixel));
    std::normal_distribution<float> normal;
    for (float& element : x) element = normal(random);
    const std::int64_t row = output[1] * channels;
    std::vector<float> y(static_cast<std::size_t>(output[0] * row), 100.0F);
    const native::RowPool pool(op, channels, input, output, input[1] * pixel, pixel,
                               {.image = output[0] * row, .row = row, .pixel = channels});
    for (std::int64_t first = 0; first < input[0];) {
      const std::int64_t last = std::min(input[0], first + pick(random, {1, 2, 5}));
      pool.join(&x[static_cast<std::size_t>(first * input[1] * pixel)], {first, last}, y.data(), {0, output[0]});
      first = last;
    }
    const auto largest = [&](std::int64_t py, std::int64_t px, std::int64_t c) {
      float most = -1e30F;
      for (std::int64_t h = py * op.strides[0]; h < py * op.strides[0] + op.kernel[0]; ++h) {
        for (std::int64_t w = px * op.strides[1]; w < px * op.strides[1] + op.kernel[1]; ++w) {
          most = std::max(most, x[static_cast<std::size_t>((h * input[1] + w) * pixel + c)]);
        }
      }
      return most;
    };
    for (std::int64_t at = 0; at < output[0] * row; ++at) {
      ASSERT_EQ(y[static_cast<std::size_t>(at)], largest(at / row, at % row / channels, at % channels)) << i;
    }
  }
}

}  // namespace
}  // namespace deeper::backend::test
