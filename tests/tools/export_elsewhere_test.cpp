// What `deeper inspect --format onnx` writes, run by ONNX Runtime through the peer of benchmarks/peers.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "frontend/zoo/zoo.h"
#include "tests/cli/command.h"
#include "tools/compare.h"
#include "tools/files.h"
#include "tools/npy.h"

namespace deeper::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSize = 128;

class ExportElsewhere : public ::testing::TestWithParam<std::string> {};

std::vector<float> image() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> pixels(3 * kSize * kSize);
  for (float& pixel : pixels) pixel = normal(random);
  return pixels;
}

std::vector<double> floats_in(const fs::path& path) {
  const std::string bytes = read_file(path);
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  return {numbers.begin(), numbers.end()};
}

TEST_P(ExportElsewhere, GivesOurAnswer) {
  const std::string peers = DEEPER_SOURCE_DIR "/benchmarks/peers";
  if (!fs::exists(peers + "/node_modules/onnxruntime-node")) GTEST_SKIP() << "needs npm install in benchmarks/peers";
  const tests::TemporaryFolder folder;
  frontend::write_zoo_model(GetParam(), folder / "m.onnx", {.seed = 1, .size = kSize});
  const std::string written = folder.file("optimized.onnx");
  ASSERT_EQ(tests::run_deeper("inspect " + folder.file("m.onnx") + " --format onnx -o " + written).status, 0);
  const std::vector<float> pixels = image();
  write_npy(folder / "x.npy", {1, 3, kSize, kSize}, pixels);
  write_file(folder / "x.raw", {reinterpret_cast<const char*>(pixels.data()), pixels.size() * sizeof(float)});
  write_file(folder / "commands",
             "input " + folder.file("x.raw") + "\nrun 1\noutput " + folder.file("y.raw") + "\nend\n");
  const std::string shape = "1,3," + std::to_string(kSize) + "," + std::to_string(kSize);
  const std::string command = "node " + peers + "/run_onnxruntime.mjs " + written + " 1 1 " + shape + " < " +
                              folder.file("commands") + " > " + folder.file("answers");
  ASSERT_EQ(std::system(command.c_str()), 0) << read_file(folder / "answers");
  ASSERT_EQ(tests::run_deeper("run " + folder.file("m.onnx") + " --input " + folder.file("x.npy") + " --output " +
                              folder.file("y"))
                .status,
            0);
  const std::vector<double> theirs = floats_in(folder / "y.raw");
  const NpyArray ours = read_npy(fs::is_directory(folder / "y") ? folder / "y/0.npy" : folder / "y");
  ASSERT_EQ(theirs.size(), ours.data.size());
  EXPECT_LT(relative_l2(ours.data, theirs), 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ExportElsewhere, testing::Values("googlenet_bn", "inception_v3", "inception_resnet_v1"),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace deeper::tools
