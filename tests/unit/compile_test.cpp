#include "backend/compile.h"

#include <array>
#include <cstring>
#include <thread>

#include "backend/algorithms.h"
#include "backend/layout.h"
#include "backend/storage.h"
#include "backend/weights.h"
#include "runtime/hazards.h"
#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

constexpr std::string_view kInception = R"(graph "module" {
  input %x: f32[1,3,18,18]
  const %w: f32[32,3,3,3] = seed(1)
  const %a1: f32[16,32,1,1] = seed(2)
  const %b1: f32[24,32,1,1] = seed(3)
  const %b2: f32[32,24,3,3] = seed(4)
  const %p1: f32[16,32,1,1] = seed(5)
  const %f: f32[10,64] = seed(6)
  buffer $cat[64]
  %s: f32[1,32,9,9] = Conv(%x, %w) {strides=[2,2], pads=[0,0,1,1], activation=relu}
  %a: f32[1,16,9,9] in $cat[0] = Conv(%s, %a1) {activation=relu}
  %b: f32[1,24,9,9] = Conv(%s, %b1) {activation=relu}
  %c: f32[1,32,9,9] in $cat[16] = Conv(%b, %b2) {pads=[1,1,1,1], activation=relu}
  %p: f32[1,32,9,9] = Pool(%s) {kernel=[3,3], pads=[1,1,1,1]}
  %q: f32[1,16,9,9] in $cat[48] = Conv(%p, %p1) {activation=relu}
  %y: f32[1,64,9,9] in $cat[0] = Concat(%a, %c, %q) {axis=1}
  %g: f32[1,64,1,1] = Pool(%y) {kind=average, kernel=[9,9]}
  %r: f32[1,64] = Reshape(%g) {shape=[1,64]}
  %z: f32[1,10] = MatMul(%r, %f) {transpose_b=true}
  output "z" = %z
})";

// The same for a batch.
ir::Graph inception_of(int images) {
  std::string text(kInception);
  for (const std::string_view one : {"f32[1,", "shape=[1,"}) {
    for (std::size_t at = text.find(one); at != std::string::npos; at = text.find(one, at + 1)) {
      text[at + one.size() - 2] = static_cast<char>('0' + images);
    }
  }
  return ir::parse(text);
}

TEST(Compile, ConcatOnSlotsCostsNoStep) {
  const runtime::Plan plan = expect_right(ir::parse(kInception), 1);
  for (const runtime::Step& step : plan.steps) EXPECT_NE(step.name.substr(0, 2), "y ") << dump_plan(plan);
}

TEST(Compile, IsDeterministic) {
  const ir::Graph graph = ir::parse(kInception);
  const runtime::Plan a = compile_for(graph, 2);
  const runtime::Plan b = compile_for(graph, 2);
  EXPECT_EQ(dump_plan(a), dump_plan(b));
  const auto bytes = a.weights->bytes();
  ASSERT_EQ(bytes.size(), b.weights->bytes().size());
  EXPECT_EQ(std::memcmp(bytes.data(), b.weights->bytes().data(), bytes.size()), 0);
}

TEST(Compile, SameInputGivesSameBits) {
  const ir::Graph graph = ir::parse(kInception);
  const Tensors inputs = random_inputs(graph, 3);
  for (const int threads : {1, 2}) {
    const runtime::Plan plan = compile_for(graph, threads);
    EXPECT_EQ(run(plan, inputs), run(plan, inputs));
  }
}

TEST(Compile, SessionsOfOneProgramRunSideBySide) {
  const ir::Graph graph = ir::parse(kInception);
  for (const Kernels kernels : {Kernels::all, Kernels::onednn}) {
    const runtime::Program program(compile_for(graph, 1, kernels), kernel_table());
    const Tensors inputs{random_inputs(graph, 3)[0], random_inputs(graph, 4)[0]};
    Tensors expected;
    for (const auto& input : inputs) expected.push_back(run(program.plan(), {input})[0]);
    std::vector<std::thread> threads;
    std::array<bool, 2> is_right{true, true};
    for (std::size_t k = 0; k < 2; ++k) {
      threads.emplace_back([&, k] {
        runtime::Session session(program, runtime::SessionOptions{});
        std::vector<float> output(expected[k].size());
        const std::array<std::span<const float>, 1> in{inputs[k]};
        const std::array<std::span<float>, 1> out{output};
        for (int repeat = 0; repeat < 50; ++repeat) {
          is_right[k] &= session.run(in, out) == runtime::Status::ok && output == expected[k];
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(is_right[0] && is_right[1]);
  }
}

TEST(Compile, ImagesOfABatchRunOneAfterTheOther) {
  const ir::Graph graph = inception_of(5);
  for (const int threads : {1, 2}) {
    const runtime::Plan plan = expect_right(graph, threads);
    ASSERT_FALSE(plan.loops.empty()) << dump_plan(plan);
    EXPECT_EQ(plan.loops.front().images, 5);
    EXPECT_LT(plan.loops.back().end, plan.steps.size()) << "the classifier multiplies all images at once";
    const runtime::Plan whole =
        compile(graph, target_for(threads), CompileOptions{.kernels = Kernels::all, .by_image = false});
    EXPECT_TRUE(whole.loops.empty());
    EXPECT_LE(plan.arena_bytes, whole.arena_bytes);
  }
}

TEST(Compile, ThreadsTakeImagesOfTheirOwn) {
  const ir::Graph graph = inception_of(4);
  const runtime::Plan plan = expect_right(graph, 2);
  const auto found = std::ranges::find_if(plan.loops, &runtime::ImageLoop::side_by_side);
  ASSERT_NE(found, plan.loops.end()) << dump_plan(plan);
  std::size_t apart = 0;
  for (std::size_t k = found->first; k < found->end; ++k) {
    const runtime::Operand& result = plan.steps[k].result;
    EXPECT_EQ(threads_of_step(plan, k), 1);
    EXPECT_TRUE(result.images == 4 || result.images == 2) << plan.steps[k].name;
    EXPECT_GE(result.advance, result.bytes) << plan.steps[k].name;
    if (result.images == 2) ++apart;
  }
  EXPECT_GT(apart, 0U) << "what no other step needs is a thread's own";
  const Tensors inputs = random_inputs(graph, 3);
  EXPECT_EQ(run(plan, inputs), run(plan, inputs));
  const auto onednn = compile_for(graph, 2, Kernels::onednn).loops;
  EXPECT_TRUE(std::ranges::none_of(onednn, &runtime::ImageLoop::side_by_side)) << "its kernels use all threads";
}

TEST(Compile, StepsThatNeedNothingOfEachOtherOverwriteNothingOfEachOther) {
  const runtime::Plan plan = compile(ir::parse(kInception), target_for(2), CompileOptions{.pools_with_convs = false});
  std::vector<std::string> free;  // of the step before
  for (std::size_t k = 1; k < plan.steps.size(); ++k) {
    if (!depend(accesses_of(plan.steps[k - 1], 0), accesses_of(plan.steps[k], 0))) free.push_back(plan.steps[k].name);
  }
  // The branches' first steps all read the stem's result alone.
  EXPECT_EQ(free, (std::vector<std::string>{"b", "p"})) << dump_plan(plan);
}

bool overlap(const runtime::Operand& a, const runtime::Operand& b) {
  return a.space == runtime::Space::arena && b.space == runtime::Space::arena && a.offset < b.offset + b.bytes &&
         b.offset < a.offset + a.bytes;
}

TEST(Compile, ScratchOverlapsNoOperand) {
  const runtime::Plan plan = compile_for(ir::parse(kInception), 2);
  for (const runtime::Step& step : plan.steps) {
    EXPECT_FALSE(overlap(step.scratch, step.result)) << step.name;
    for (const runtime::Operand& operand : step.operands) EXPECT_FALSE(overlap(step.scratch, operand)) << step.name;
  }
}

TEST(Compile, EverythingLiesInsideItsSpace) {
  const runtime::Plan plan = compile_for(ir::parse(kInception), 1);
  for (const runtime::Step& step : plan.steps) {
    EXPECT_LE(step.result.offset + (step.result.space == runtime::Space::arena ? step.result.bytes : 0),
              plan.arena_bytes);
    for (const runtime::Operand& operand : step.operands) {
      if (operand.space != runtime::Space::weights) continue;
      EXPECT_EQ(operand.offset % 64, 0U);
      EXPECT_LE(operand.offset + operand.bytes, plan.weights->bytes().size());
    }
  }
}

TEST(Compile, ChoosesTheAlgorithmByShape) {
  const Target target;
  const CompileOptions onednn{.kernels = Kernels::onednn};
  const auto name = [&](const ConvProblem& problem, const CompileOptions& options) {
    return choose_algorithm(problem, target, options).algorithm->name;
  };
  ConvProblem problem{.shape = dense_conv_shape(1, 64, {17, 17}, 96, {1, 1}, ir::Conv{})};
  EXPECT_EQ(name(problem, onednn), "onednn");
  problem.shape.result.pixel = 288;
  EXPECT_EQ(name(problem, onednn), "onednn.matmul");
  EXPECT_EQ(name(problem, {.kernels = Kernels::onednn, .force = "onednn"}), "onednn");
  EXPECT_EQ(name(problem, {.force = "brgemm"}), "brgemm");
  problem.shape.kernel = {3, 3};
  EXPECT_EQ(name(problem, onednn), "onednn");
  EXPECT_EQ(name(problem, {.kernels = Kernels::onednn, .force = "onednn.matmul"}), "onednn");
  EXPECT_EQ(name(problem, {.kernels = Kernels::onednn, .force = "brgemm"}), "onednn");
  problem.constant_weights = false;
  EXPECT_EQ(name(problem, {}), "onednn");
}

TEST(Compile, ChoosesTheKernelByShapeAndKindOfCore) {
  const auto conv = [](std::int64_t in, std::int64_t extent, std::int64_t out, std::int64_t kernel, std::int64_t pad,
                       std::int64_t stride) {
    const ir::Conv op{.strides = {stride, stride}, .pads = {pad, pad, pad, pad}};
    return ConvProblem{.shape = dense_conv_shape(1, in, {extent, extent}, out, {kernel, kernel}, op)};
  };
  for (const Machine machine : {Machine::other, Machine::zen}) {
    Target target;
    target.machine = machine;
    const auto name = [&](const ConvProblem& problem) { return choose_algorithm(problem, target, {}).algorithm->name; };
    EXPECT_EQ(name(conv(768, 17, 576, 1, 0, 1)), "strassen");  // many channels on both sides
    EXPECT_NE(name(conv(64, 56, 64, 1, 0, 1)), "strassen");    // few of them
    EXPECT_EQ(name(conv(64, 56, 192, 3, 1, 1)), "winograd");
    EXPECT_EQ(name(conv(64, 147, 96, 3, 0, 2)), "winograd");  // by phases
    EXPECT_EQ(name(conv(3, 224, 64, 7, 3, 2)), "winograd");
    // One pixel: how fast its weights come tells.
    EXPECT_EQ(name(conv(128, 5, 768, 5, 0, 1)), machine == Machine::zen ? "direct" : "brgemm");
  }
}

TEST(Compile, FollowsARecordThatNamesAWayStillThere) {
  const Target target;
  const ConvProblem problem{.shape = dense_conv_shape(1, 64, {17, 17}, 96, {3, 3}, ir::Conv{.pads = {1, 1, 1, 1}})};
  CompileOptions options;
  const auto follows = [&](const ConvChoice& choice, const CompileOptions& under) {
    CompileOptions with_record = under;
    const ConvRecord record{
        .algorithm = std::string(choice.algorithm->name), .tuning = choice.candidate.tuning, .ns = 1};
    with_record.records = std::make_shared<const ConvRecords>(ConvRecords{{record_key(problem, under), record}});
    const ConvChoice chosen = choose_algorithm(problem, target, with_record);
    return chosen.algorithm == choice.algorithm && chosen.candidate.tuning == choice.candidate.tuning;
  };
  const std::vector<ConvChoice> all = conv_choices(problem, target, options);
  EXPECT_GT(all.size(), 3U);
  for (const ConvChoice& choice : all) EXPECT_TRUE(follows(choice, options)) << choice.candidate.implementation;
  ConvChoice unknown = all.front();
  unknown.candidate.tuning.back() += 1000;
  EXPECT_FALSE(follows(unknown, options));
  options.low_memory = true;
  constexpr std::int64_t kPlainBytes = 96 * 64 * 9 * sizeof(float);
  for (const ConvChoice& choice : all) {
    const bool may_grow = choice.algorithm->kernel != nullptr && choice.algorithm->kernel->grows_weights;
    const bool grows = may_grow && choice.candidate.weights_bytes > kPlainBytes;
    EXPECT_EQ(follows(choice, options), !grows) << choice.candidate.implementation;
  }
}

TEST(WeightsBuilder, KeepsEqualBlocksOnce) {
  WeightsBuilder builder;
  const std::vector<std::byte> a(100, std::byte{1});
  const std::vector<std::byte> b(100, std::byte{2});
  EXPECT_EQ(builder.add(a), 0U);
  EXPECT_EQ(builder.add(b), 128U);
  EXPECT_EQ(builder.add(a), 0U);
  const auto weights = builder.finish();
  ASSERT_EQ(weights->bytes().size(), 256U);
  EXPECT_EQ(weights->bytes()[0], std::byte{1});
  EXPECT_EQ(weights->bytes()[128], std::byte{2});
  EXPECT_EQ(weights->bytes()[228], std::byte{0});
}

TEST(Layout, ReshapesWithoutMovingWhereItCan) {
  const ir::Shape image{1, 64, 1, 1};
  EXPECT_EQ(reshaped_strides(image, layout_strides(image), {1, 64}), (ir::Shape{64, 1}));
  const ir::Shape wide{1, 4, 2, 2};
  EXPECT_FALSE(reshaped_strides(wide, layout_strides(wide), {1, 16}));
  EXPECT_EQ(reshaped_strides({2, 12}, {12, 1}, {2, 3, 4}), (ir::Shape{12, 4, 1}));
  EXPECT_EQ(reshaped_strides({2, 3, 4}, {24, 4, 1}, {2, 12}), (ir::Shape{24, 1}));
  EXPECT_FALSE(reshaped_strides({2, 3, 4}, {24, 4, 1}, {24}));
  EXPECT_EQ(reshaped_strides({1, 1}, {1, 1}, {}), ir::Shape{});
}

TEST(Layout, TellsChannelSlices) {
  EXPECT_EQ(pixel_stride({1, 8, 5, 5}, image_strides({1, 8, 5, 5}, 24)), 24);
  EXPECT_EQ(pixel_stride({1, 8, 5, 5}, ir::row_major_strides({1, 8, 5, 5})), std::nullopt);
  EXPECT_EQ(pixel_stride({1, 8, 1, 1}, ir::row_major_strides({1, 8, 1, 1})), 8);
  EXPECT_EQ(pixel_stride({3, 7}, {7, 1}), 0);
  EXPECT_EQ(pixel_stride({3, 7}, {1, 3}), std::nullopt);
}

}  // namespace
}  // namespace deeper::backend::test
