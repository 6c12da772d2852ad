#include "runtime/plan_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "backend/kernels/native.h"
#include "ir/error.h"
#include "runtime/machine.h"
#include "runtime/session.h"

namespace deeper::runtime {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct OwnedWeights : Weights {
  std::vector<float> data;
  std::span<const std::byte> bytes() const override { return std::as_bytes(std::span(data)); }
};

Operand dense(Space space, std::uint64_t offset, const ir::Shape& shape) {
  Operand operand;
  operand.space = space;
  operand.offset = offset;
  operand.bytes = 4 * static_cast<std::uint64_t>(ir::element_count(shape));
  operand.shape = shape;
  operand.strides = ir::row_major_strides(shape);
  return operand;
}

Operand channels_last(std::uint64_t offset, const ir::Shape& shape) {
  Operand operand = dense(Space::arena, offset, shape);
  operand.strides = {shape[1] * shape[2] * shape[3], 1, shape[1] * shape[3], shape[1]};
  return operand;
}

Step make_step(std::string kernel, ir::Op op, std::vector<Operand> operands, Operand result) {
  Step step;
  step.kernel = std::move(kernel);
  step.name = "Mixed_5b/" + step.kernel;
  step.implementation = "portable";
  step.op = std::move(op);
  step.operands = std::move(operands);
  step.result = std::move(result);
  step.origins = {"a", "b \"quoted\""};
  step.multiply_adds = 7;
  return step;
}

// Images through most native kernels to a class distribution of the last one.
Plan make_plan() {
  Plan plan;
  plan.model = "tiny";
  plan.model_hash = 0xfedcba9876543210U;
  plan.isa = "sse41";
  plan.onednn = onednn_version();
  plan.threads = 1;
  plan.arena_bytes = 8192;
  plan.arena_lower_bound = 8000;
  plan.compile_ms = 1.5;
  Port port;
  port.name = "image";
  port.type.shape = {2, 6, 8, 8};
  port.onnx_type = "float";
  plan.inputs.push_back(port);
  port.name = "prob";
  port.type.shape = {1, 6};
  plan.outputs.push_back(port);
  auto weights = std::make_shared<OwnedWeights>();
  for (int i = 0; i < 64; ++i) weights->data.push_back(0.25F * static_cast<float>(i));
  plan.weights = weights;
  const Operand image = channels_last(0, {1, 6, 8, 8});
  const Operand pooled = channels_last(4096, {1, 6, 4, 4});
  const Operand scaled = channels_last(0, {1, 6, 4, 4});
  const Operand padded = channels_last(4096, {1, 6, 5, 5});
  const Operand mean = dense(Space::arena, 0, {1, 6});
  plan.steps = {
      make_step("native.copy", ir::Identity{}, {dense(Space::input, 0, {1, 6, 8, 8})}, image),
      make_step("native.pool", ir::Pool{.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 1, 0, 0}}, {image}, pooled),
      make_step("native.binary", ir::Binary{.function = ir::BinaryFunction::mul},
                {pooled, dense(Space::weights, 64, {6, 1, 1})}, scaled),
      make_step("native.lrn", ir::Lrn{}, {scaled}, pooled),
      make_step("native.unary", ir::Unary{{.function = ir::Function::leaky_relu, .alpha = 0.1F}}, {pooled}, scaled),
      make_step("native.pad", ir::Pad{.begins = {0, 0, 1, 0}, .ends = {0, 0, 0, 1}}, {scaled}, padded),
      make_step("native.reduce", ir::Reduce{.axes = {2, 3}, .keepdims = false}, {padded}, mean),
      make_step("native.softmax", ir::Softmax{.axis = 1}, {mean}, dense(Space::output, 0, {1, 6})),
  };
  plan.steps[0].operands[0].advance = plan.steps[0].operands[0].bytes;
  plan.steps[0].operands[0].images = 2;
  plan.loops = {{.first = 0, .end = 5, .images = 2}};
  plan.steps[2].tuning = {0, -5};
  plan.steps[2].scratch = dense(Space::arena, 8128, {16});
  return plan;
}

std::vector<float> run(const Plan& plan) {
  const Program program(plan, backend::native_kernels());
  Session session(program, {});
  std::vector<float> x(768);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  std::vector<float> y(6);
  const std::span<const float> inputs[] = {x};
  const std::span<float> outputs[] = {y};
  session.run(inputs, outputs);
  return y;
}

class PlanFile : public testing::Test {
 protected:
  fs::path folder = fs::temp_directory_path() / ("deeper_plan_file_" + std::to_string(getpid()));
  fs::path path = folder / "tiny.plan";
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  std::string read() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const {
    fs::remove(path);  // file systems may wait for the disk where a file is cut and written again
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  // What load_plan says about the file.
  std::string complaint() const {
    try {
      load_plan(path);
    } catch (const ModelError& error) {
      return error.what();
    }
    return "";
  }
};

constexpr std::size_t kWeightsOffsetAt = 32;
constexpr std::size_t kChecksumAt = 48;

// Makes the file's checksum right again, so that what it says is looked at.
std::string signed_again(std::string bytes) {
  std::memset(&bytes[kChecksumAt], 0, 8);
  std::uint64_t offset = 0;
  std::memcpy(&offset, &bytes[kWeightsOffsetAt], 8);
  offset = std::min<std::uint64_t>(offset, bytes.size());
  const std::string weights = bytes.substr(offset);
  const std::size_t half = weights.size() / 2;
  std::string hashed = bytes.substr(0, offset);
  for (const std::string& part : {weights.substr(0, half), weights.substr(half)}) {
    const std::uint64_t hash = XXH3_64bits(part.data(), part.size());
    hashed.append(reinterpret_cast<const char*>(&hash), sizeof hash);
  }
  const std::uint64_t checksum = XXH3_64bits(hashed.data(), hashed.size());
  std::memcpy(&bytes[kChecksumAt], &checksum, 8);
  return bytes;
}

TEST_F(PlanFile, ComesBackAsItWas) {
  const Plan plan = make_plan();
  save_plan(plan, path);
  EXPECT_TRUE(is_plan_file(path));
  const Plan loaded = load_plan(path);
  EXPECT_EQ(loaded.model, "tiny");
  EXPECT_EQ(loaded.model_hash, plan.model_hash);
  EXPECT_EQ(loaded.compile_ms, 1.5);
  EXPECT_EQ(loaded.threads, 1);
  EXPECT_EQ(loaded.arena_lower_bound, 8000U);
  EXPECT_EQ(loaded.inputs[0].type, plan.inputs[0].type);
  EXPECT_EQ(loaded.outputs[0].name, "prob");
  ASSERT_EQ(loaded.steps.size(), plan.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    EXPECT_EQ(loaded.steps[i].op, plan.steps[i].op);
    EXPECT_EQ(loaded.steps[i].kernel, plan.steps[i].kernel);
    EXPECT_EQ(loaded.steps[i].tuning, plan.steps[i].tuning);
    EXPECT_EQ(loaded.steps[i].origins, plan.steps[i].origins);
    EXPECT_EQ(loaded.steps[i].result.strides, plan.steps[i].result.strides);
  }
  EXPECT_EQ(loaded.steps[0].operands[0].advance, 1536U);
  EXPECT_EQ(loaded.steps[0].operands[0].images, 2U);
  ASSERT_EQ(loaded.loops.size(), 1U);
  EXPECT_EQ(loaded.loops[0].end, 5U);
  EXPECT_EQ(loaded.loops[0].images, 2);
  EXPECT_FALSE(loaded.loops[0].side_by_side);
  EXPECT_EQ(loaded.weights->bytes().size(), 256U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(loaded.weights->bytes().data()) % 4096, 0U);
  EXPECT_EQ(run(loaded), run(plan));
}

TEST_F(PlanFile, LeavesNothingElseBehind) {
  save_plan(make_plan(), path);
  save_plan(make_plan(), path);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
  fs::create_directory(folder / "taken");
  EXPECT_THROW(save_plan(make_plan(), folder / "taken"), ModelError);
  EXPECT_THROW(save_plan(make_plan(), folder / "missing" / "x.plan"), ModelError);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 2);
}

TEST_F(PlanFile, SaysWhyItRefuses) {
  EXPECT_THAT(complaint(), HasSubstr("cannot be read"));
  EXPECT_FALSE(is_plan_file(path));
  write("");
  EXPECT_THAT(complaint(), HasSubstr("is no plan"));
  write(std::string(5000, 'x'));
  EXPECT_THAT(complaint(), HasSubstr("is no plan"));
  EXPECT_FALSE(is_plan_file(path));
  save_plan(make_plan(), path);
  const std::string good = read();
  std::string bytes = good;
  bytes[8] = 99;
  write(bytes);
  EXPECT_THAT(complaint(), HasSubstr("is a plan of version 99"));
  write(good + "x");
  EXPECT_THAT(complaint(), HasSubstr("bytes and has"));
  bytes = good;
  bytes[good.size() - 1] = static_cast<char>(bytes[good.size() - 1] ^ 1);
  write(bytes);
  EXPECT_THAT(complaint(), HasSubstr("checksum is wrong"));
  Plan plan = make_plan();
  plan.onednn = "1.0.0";
  save_plan(plan, path);
  EXPECT_THAT(complaint(), HasSubstr("was compiled for oneDNN 1.0.0"));
  plan = make_plan();
  plan.isa = "avx9000";
  save_plan(plan, path);
  EXPECT_THAT(complaint(), HasSubstr("needs a CPU with avx9000"));
  plan = make_plan();
  plan.arena_bytes = 64;
  save_plan(plan, path);
  EXPECT_THAT(complaint(), HasSubstr("lies outside its memory"));
  plan = make_plan();
  plan.loops[0].images = 3;
  plan.steps[0].operands[0].images = 3;
  save_plan(plan, path);
  EXPECT_THAT(complaint(), HasSubstr("lies outside its memory"));
  plan = make_plan();
  plan.steps[0].operands[0].images = 0;
  save_plan(plan, path);
  EXPECT_THAT(complaint(), HasSubstr("has no room for an image"));
  plan = make_plan();
  plan.loops.push_back({.first = 4, .end = 6, .images = 1});
  save_plan(plan, path);
  EXPECT_THAT(complaint(), HasSubstr("steps 4 to 6 of 1 images"));
}

TEST_F(PlanFile, IsRefusedWhereverItIsCutOrChanged) {
  save_plan(make_plan(), path);
  const std::string good = read();
  for (std::size_t size = 0; size < good.size(); size += 1 + size / 7) {
    write(good.substr(0, size));
    EXPECT_NE(complaint(), "") << "cut to " << size;
  }
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    std::string bytes = good;
    const std::size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    write(bytes);
    EXPECT_NE(complaint(), "") << "byte " << at;
  }
}

// Runs what loads: whatever was changed, nothing outside the plan's memory may be touched (the sanitizers watch).
TEST_F(PlanFile, SurvivesEveryChangeWithARightChecksum) {
  save_plan(make_plan(), path);
  const std::string good = read();
  const std::size_t description_end = good.rfind('}', good.size() - 256) + 1;
  std::mt19937 random(2);
  const std::string_view digits = "0123456789-[]{},:\"";
  int ran = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (unsigned i = 0; i <= round % 3U; ++i) {
      const std::size_t at = round % 20 == 0 ? random() % 64 : 64 + random() % (description_end - 64);
      bytes[at] =
          round % 2 == 0 ? digits[random() % digits.size()] : static_cast<char>(bytes[at] ^ (1 << random() % 8));
    }
    write(signed_again(bytes));
    try {
      const Plan plan = load_plan(path);
      if (plan.threads > 1 || plan.inputs.size() != 1 || plan.outputs.size() != 1) continue;
      run(plan);
      ++ran;
    } catch (const ModelError&) {
    }
  }
  EXPECT_GT(ran, 100);
}

// Numbers replaced by ones that overflow what is computed from them.
TEST_F(PlanFile, SurvivesExtremeNumbers) {
  save_plan(make_plan(), path);
  const std::string good = read();
  std::mt19937 random(3);
  const std::string_view extremes[] = {"0",
                                       "-1",
                                       "1",
                                       "2147483648",
                                       "4294967296",
                                       "4611686018427387904",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "18446744073709551615",
                                       "1e300",
                                       "null",
                                       "\"x\""};
  std::uint64_t description_bytes = 0;
  std::memcpy(&description_bytes, &good[24], 8);
  const std::string description = good.substr(64, description_bytes);
  const std::string weights = good.substr(good.size() - 256);
  std::vector<std::size_t> numbers;  // where they begin
  for (std::size_t i = 1; i < description.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(description[i])) &&
        !std::isdigit(static_cast<unsigned char>(description[i - 1]))) {
      numbers.push_back(i);
    }
  }
  for (int round = 0; round < 3000; ++round) {
    std::string changed = description;
    const std::size_t at = numbers[random() % numbers.size()];
    std::size_t end = at;
    while (std::isdigit(static_cast<unsigned char>(changed[end]))) ++end;
    changed.replace(at, end - at, extremes[random() % std::size(extremes)]);
    std::string bytes = good.substr(0, 64) + changed;
    const std::uint64_t size = changed.size();
    bytes.resize((bytes.size() + 4095) / 4096 * 4096);
    const std::uint64_t offset = bytes.size();
    bytes += weights;
    const std::uint64_t file_size = bytes.size();
    std::memcpy(&bytes[16], &file_size, 8);
    std::memcpy(&bytes[24], &size, 8);
    std::memcpy(&bytes[32], &offset, 8);
    write(signed_again(bytes));
    try {
      const Plan plan = load_plan(path);
      if (plan.threads == 1) run(plan);
    } catch (const ModelError&) {
    }
  }
}

}  // namespace
}  // namespace deeper::runtime
