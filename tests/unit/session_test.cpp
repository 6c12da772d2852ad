#include "runtime/session.h"

#include <gtest/gtest.h>
#include <immintrin.h>
#include <sched.h>

#include <array>
#include <limits>
#include <numeric>

#include "ir/error.h"
#include "runtime/machine.h"
#include "tests/unit/allocations.h"

namespace deeper::runtime {
namespace {

constexpr std::int64_t kCount = 4099;

struct Block : Weights {
  alignas(64) std::array<float, 16> data{};
  std::span<const std::byte> bytes() const override { return std::as_bytes(std::span(data)); }
};

// y = 2 x + w[0], each thread its share.
void run_scale(const void*, Addresses addresses, Team team) noexcept {
  const auto* x = reinterpret_cast<const float*>(addresses[0]);
  const auto* w = reinterpret_cast<const float*>(addresses[1]);
  auto* y = reinterpret_cast<float*>(addresses[2]);
  for (std::int64_t i = kCount * team.index / team.count; i < kCount * (team.index + 1) / team.count; ++i) {
    y[i] = 2 * x[i] + w[0];
  }
}

// y[i] = x[count - 1 - i]: reads what other threads wrote.
void run_reverse(const void*, Addresses addresses, Team team) noexcept {
  const auto* x = reinterpret_cast<const float*>(addresses[0]);
  auto* y = reinterpret_cast<float*>(addresses[2]);
  for (std::int64_t i = kCount * team.index / team.count; i < kCount * (team.index + 1) / team.count; ++i) {
    y[i] = x[kCount - 1 - i];
  }
}

// From the calling thread alone.
void run_increment(const void*, Addresses addresses, Team team) noexcept {
  const auto* x = reinterpret_cast<const float*>(addresses[0]);
  auto* y = reinterpret_cast<float*>(addresses[2]);
  for (std::int64_t i = 0; i < kCount; ++i) y[i] = x[i] + static_cast<float>(team.count);
}

Executable prepare_scale(const Step&, int) { return {.run = run_scale, .state = nullptr, .is_team_kernel = true}; }
Executable prepare_reverse(const Step&, int) { return {.run = run_reverse, .state = nullptr, .is_team_kernel = true}; }
Executable prepare_increment(const Step&, int) { return {.run = run_increment}; }
Executable prepare_nothing(const Step&, int) { throw ModelError("needs another CPU"); }

constexpr auto kKernels = std::to_array<KernelRow>({{"scale", prepare_scale},
                                                    {"reverse", prepare_reverse},
                                                    {"increment", prepare_increment},
                                                    {"nothing", prepare_nothing}});

Operand vector_in(Space space, std::uint64_t offset) {
  return {.space = space, .offset = offset, .bytes = 4 * kCount, .shape = {kCount}, .strides = {1}};
}

Port vector_port(std::string_view name) {
  Port port;
  port.name = name;
  port.type.shape = {kCount};
  port.onnx_type = "float";
  return port;
}

// The kernels in a row from input to output, through two blocks of the arena in turn.
Plan make_plan(std::span<const std::string_view> kernels, int threads) {
  Plan plan;
  plan.threads = threads;
  plan.inputs.push_back(vector_port("x"));
  plan.outputs.push_back(vector_port("y"));
  plan.arena_bytes = 2 * 16448;
  auto weights = std::make_shared<Block>();
  weights->data[0] = 0.5F;
  plan.weights = weights;
  Operand from = vector_in(Space::input, 0);
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    Step step;
    step.kernel = kernels[i];
    step.name = kernels[i];
    step.op = ir::Binary{};
    step.operands = {from, {.space = Space::weights, .bytes = 4, .shape = {1}, .strides = {1}}};
    step.result = i + 1 == kernels.size() ? vector_in(Space::output, 0) : vector_in(Space::arena, i % 2 * 16448);
    from = step.result;
    plan.steps.push_back(step);
  }
  return plan;
}

std::vector<float> ramp() {
  std::vector<float> x(kCount);
  std::iota(x.begin(), x.end(), 0.0F);
  return x;
}

Status run_once(Session& session, std::span<const float> x, std::span<float> y) {
  const std::span<const float> inputs[] = {x};
  const std::span<float> outputs[] = {y};
  return session.run(inputs, outputs);
}

class SessionThreads : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Teams, SessionThreads, testing::Values(1, 2, 5));

TEST_P(SessionThreads, RunsStepsInOrder) {
  const std::string_view kernels[] = {"scale", "reverse", "scale", "increment", "reverse", "reverse", "scale"};
  const Program program(make_plan(kernels, GetParam()), kKernels);
  Session session(program, {});
  const std::vector<float> x = ramp();
  for (int round = 0; round < 20; ++round) {
    std::vector<float> y(kCount, -1);
    ASSERT_EQ(run_once(session, x, y), Status::ok);
    for (std::int64_t i = 0; i < kCount; ++i) {
      const float reversed = x[static_cast<std::size_t>(kCount - 1 - i)];
      const float expected = 2 * (2 * (2 * reversed + 0.5F) + 0.5F + static_cast<float>(GetParam())) + 0.5F;
      ASSERT_EQ(y[static_cast<std::size_t>(i)], expected) << "element " << i << ", round " << round;
    }
  }
}

TEST_P(SessionThreads, AllocatesNothing) {
  const std::string_view kernels[] = {"scale", "increment", "reverse"};
  const Program program(make_plan(kernels, GetParam()), kKernels);
  Session session(program, {});
  const std::vector<float> x = ramp();
  std::vector<float> y(kCount);
  const std::int64_t before = test::allocation_count();
  run_once(session, x, y);
  run_once(session, x, y);
  EXPECT_EQ(test::allocation_count(), before);
}

TEST_P(SessionThreads, ProfilesEveryStep) {
  const std::string_view kernels[] = {"scale", "reverse", "increment", "scale"};
  const Program program(make_plan(kernels, GetParam()), kKernels);
  Session session(program, {});
  const std::vector<float> x = ramp();
  std::vector<float> y(kCount);
  const std::span<const float> inputs[] = {x};
  const std::span<float> outputs[] = {y};
  std::vector<std::int64_t> step_ns(4, -1);
  ASSERT_EQ(session.run_profiled(inputs, outputs, step_ns), Status::ok);
  for (const std::int64_t ns : step_ns) EXPECT_GE(ns, 0);
  std::vector<float> again(kCount);
  run_once(session, x, again);
  EXPECT_EQ(y, again);
  EXPECT_EQ(session.run_profiled(inputs, outputs, std::span(step_ns).first(3)), Status::wrong_output);
}

TEST_P(SessionThreads, StopsBehindAStep) {
  const std::string_view kernels[] = {"scale", "scale", "increment", "scale"};
  const Program program(make_plan(kernels, GetParam()), kKernels);
  Session session(program, {});
  const std::vector<float> x = ramp();
  std::vector<float> y(kCount, -1);
  const std::span<const float> inputs[] = {x};
  const std::span<float> outputs[] = {y};
  ASSERT_EQ(session.run_steps(inputs, outputs, 2), Status::ok);
  const float* result = session.address_of(program.plan().steps[1].result);
  EXPECT_EQ(result[3], 2 * (2 * 3 + 0.5F) + 0.5F);
  EXPECT_EQ(y[3], -1);
  EXPECT_EQ(session.address_of(program.plan().steps[3].result), nullptr);
}

TEST_P(SessionThreads, FlushesDenormalsOnlyWhileItRuns) {
  const std::string_view kernels[] = {"scale"};
  Plan plan = make_plan(kernels, GetParam());
  plan.weights = std::make_shared<Block>();
  const Program program(std::move(plan), kKernels);
  Session session(program, {});
  const std::vector<float> x(kCount, std::numeric_limits<float>::denorm_min() * 8);
  std::vector<float> y(kCount, -1);
  const unsigned control = _mm_getcsr();
  run_once(session, x, y);
  EXPECT_EQ(y, std::vector<float>(kCount, 0.0F));
  EXPECT_EQ(_mm_getcsr(), control);
}

TEST_P(SessionThreads, PinsOnlyWhileItRuns) {
  cpu_set_t before;
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const std::string_view kernels[] = {"scale", "reverse"};
  const Program program(make_plan(kernels, GetParam()), kKernels);
  Session session(program, {.pin_threads = true});
  const std::vector<float> x = ramp();
  std::vector<float> y(kCount);
  ASSERT_EQ(run_once(session, x, y), Status::ok);
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(Session, RefusesWrongSizes) {
  const std::string_view kernels[] = {"scale"};
  const Program program(make_plan(kernels, 1), kKernels);
  Session session(program, {});
  std::vector<float> x(kCount);
  std::vector<float> y(kCount);
  EXPECT_EQ(run_once(session, std::span(x).first(5), y), Status::wrong_input);
  EXPECT_EQ(run_once(session, x, std::span(y).first(5)), Status::wrong_output);
  EXPECT_EQ(session.run({}, {}), Status::wrong_input);
}

TEST(Session, ManyShareOneProgram) {
  const std::string_view kernels[] = {"scale", "reverse"};
  const Program program(make_plan(kernels, 2), kKernels);
  std::vector<Session> sessions;
  for (int i = 0; i < 3; ++i) sessions.emplace_back(program, SessionOptions{});
  const std::vector<float> x = ramp();
  for (Session& session : sessions) {
    std::vector<float> y(kCount);
    ASSERT_EQ(run_once(session, x, y), Status::ok);
    EXPECT_EQ(y[0], 2 * (kCount - 1) + 0.5F);
  }
}

TEST(Session, RunsInMemoryThatItIsGiven) {
  const std::string_view kernels[] = {"scale", "reverse", "scale"};
  const Program program(make_plan(kernels, 2), kKernels);
  const std::uint64_t bytes = program.plan().arena_bytes;
  struct alignas(64) Line {
    std::array<std::byte, 64> bytes;
  };
  std::vector<Line> lines(bytes / sizeof(Line) + 1);
  const std::span<std::byte> memory(lines.front().bytes.data(), lines.size() * sizeof(Line));
  std::vector<Session> sessions;
  for (int i = 0; i < 2; ++i) sessions.emplace_back(program, SessionOptions{.memory = memory});
  const std::vector<float> x = ramp();
  for (Session& session : sessions) {
    std::vector<float> y(kCount);
    ASSERT_EQ(run_once(session, x, y), Status::ok);
    EXPECT_EQ(y[0], 2 * (2 * (kCount - 1) + 0.5F) + 0.5F);
    EXPECT_EQ(static_cast<const void*>(session.address_of(program.plan().steps[0].result)), memory.data());
  }
  EXPECT_THROW(Session(program, {.memory = memory.first(bytes - 1)}), ModelError);
  EXPECT_THROW(Session(program, {.memory = memory.subspan(4)}), ModelError);
}

TEST(Program, NamesTheStepThatDoesNotFit) {
  const std::string_view kernels[] = {"scale", "nothing"};
  try {
    const Program program(make_plan(kernels, 1), kKernels);
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_STREQ(error.what(), "step 'nothing' (nothing): needs another CPU");
  }
  const std::string_view unknown[] = {"guess"};
  EXPECT_THROW(Program(make_plan(unknown, 1), kKernels), ModelError);
}

TEST(Program, RefusesOperandsOutsideTheirMemory) {
  const std::string_view kernels[] = {"scale", "scale"};
  const auto refuses = [&](auto change) {
    Plan plan = make_plan(kernels, 1);
    change(plan);
    EXPECT_THROW(Program(plan, kKernels), ModelError);
  };
  refuses([](Plan& plan) { plan.arena_bytes = 16000; });
  refuses([](Plan& plan) { plan.weights = nullptr; });
  refuses([](Plan& plan) { plan.threads = 0; });
  refuses([](Plan& plan) { plan.steps[0].result.offset = 1U << 30U; });
  refuses([](Plan& plan) { plan.steps[0].result.offset = ~std::uint64_t{0} - 63; });
  refuses([](Plan& plan) { plan.steps[0].result.offset = 2; });
  refuses([](Plan& plan) { plan.steps[0].result.shape = {kCount + 1}; });
  refuses([](Plan& plan) { plan.steps[0].result.strides = {std::numeric_limits<std::int64_t>::max()}; });
  refuses([](Plan& plan) { plan.steps[0].result.strides = {-1}; });
  refuses([](Plan& plan) { plan.steps[0].result.strides = {1, 1}; });
  refuses([](Plan& plan) { plan.steps[0].result.space = Space::weights; });
  refuses([](Plan& plan) { plan.steps[0].operands[0].port = 1; });
  refuses([](Plan& plan) { plan.inputs[0].type.shape = {kCount - 1}; });
}

TEST(Machine, KnowsItsInstructionSets) {
  EXPECT_TRUE(cpu_has("sse41"));
  EXPECT_FALSE(cpu_has("neon"));
  EXPECT_TRUE(cpu_has("avx2") || !cpu_has("avx512"));
  EXPECT_TRUE(cpu_has("avx512") || !cpu_has("amx"));
  EXPECT_NE(onednn_version().find('.'), std::string::npos);
}

}  // namespace
}  // namespace deeper::runtime
