#include "backend/conv_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "backend/algorithms.h"
#include "ir/error.h"

namespace deeper::backend {
namespace {

namespace fs = std::filesystem;

class Records : public testing::Test {
 protected:
  fs::path folder = fs::temp_directory_path() / ("deeper_records_" + std::to_string(::getpid()));
  fs::path file = folder / "below" / "tuning.json";
  void TearDown() override { fs::remove_all(folder); }

  void write(const std::string& text) const {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
};

const ConvRecords kTwo{{"a", {.algorithm = "winograd", .tuning = {1, 2, 3}, .ns = 1500}},
                       {"b", {.algorithm = "onednn", .tuning = {}, .ns = 2.5}}};

TEST_F(Records, SurviveTheirFile) {
  EXPECT_TRUE(load_records(file, "here").empty());
  save_records(file, "here", kTwo);
  EXPECT_EQ(load_records(file, "here"), kTwo);
  EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), {}), 1);
}

TEST_F(Records, KeepThoseOfOtherMachinesAndShapes) {
  save_records(file, "here", kTwo);
  save_records(file, "there", {{"a", {.algorithm = "direct", .tuning = {7}, .ns = 1}}});
  save_records(file, "here", {{"b", {.algorithm = "brgemm", .tuning = {8}, .ns = 2}}});
  const ConvRecords here = load_records(file, "here");
  EXPECT_EQ(here.at("a").algorithm, "winograd");
  EXPECT_EQ(here.at("b").algorithm, "brgemm");
  EXPECT_EQ(load_records(file, "there").size(), 1U);
  EXPECT_TRUE(load_records(file, "elsewhere").empty());
}

TEST_F(Records, RefuseAFileOfSomethingElseAndLeaveItAlone) {
  const std::string ours = R"({"format": "deeper tuning records 1", "machines": )";
  for (const std::string& text :
       {std::string(), std::string("not json"), std::string("[1, 2]"), std::string(R"({"format": 7})"),
        std::string(R"({"format": "deeper tuning records 2", "machines": {}})"), ours + "3}", ours + R"({"here": 3}})",
        ours + R"({"here": {"a": {"algorithm": "direct"}}}})",
        ours + R"({"here": {"a": {"algorithm": 1, "tuning": [], "ns": 1}}}})",
        ours + R"({"here": {"a": {"algorithm": "direct", "tuning": ["x"], "ns": 1}}}})"}) {
    write(text);
    EXPECT_THROW(load_records(file, "here"), ModelError) << text;
    std::ifstream stream(file);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(stream), {}), text);
  }
  write("not json");
  EXPECT_THROW(save_records(file, "here", kTwo), ModelError);
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_THROW(load_records(file, "here"), ModelError);
}

TEST_F(Records, LieInTheUsersCache) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const std::string before = cache != nullptr ? cache : "";
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(default_records_file(), "/somewhere/deeper/tuning.json");
  ::unsetenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  EXPECT_EQ(default_records_file(), home == nullptr ? fs::path() : fs::path(home) / ".cache/deeper/tuning.json");
  if (!before.empty()) ::setenv("XDG_CACHE_HOME", before.c_str(), 1);
}

TEST(RecordKey, TellsApartWhatTakesOtherTimes) {
  const ConvProblem plain{.shape = dense_conv_shape(1, 64, {17, 17}, 96, {3, 3}, ir::Conv{.pads = {1, 1, 1, 1}})};
  std::vector<ConvProblem> problems(8, plain);
  problems[1].shape.result.pixel = 288;
  problems[2].shape.source.pixel = 288;
  problems[3].shape.has_bias = true;
  problems[4].shape.has_residual = true;
  problems[5].shape.has_residual = problems[5].shape.residual_in_place = true;
  problems[6].shape.op.groups = 2;
  problems[7].shape.op.pads = {0, 0, 2, 2};
  std::set<std::string> keys;
  for (const ConvProblem& problem : problems) keys.insert(record_key(problem, {}));
  keys.insert(record_key(plain, {.accuracy = Accuracy::fast}));
  keys.insert(record_key(plain, {.low_memory = true}));
  keys.insert(record_key(plain, {.kernels = Kernels::onednn}));
  EXPECT_EQ(keys.size(), 11U);
}

TEST(MachineKey, TellsApartCpusInstructionSetsAndThreads) {
  Target target;
  target.cpu = "one";
  std::set<std::string> keys{machine_key(target)};
  target.threads = 2;
  keys.insert(machine_key(target));
  target.isa = Isa::avx512;
  keys.insert(machine_key(target));
  target.cpu = "another";
  keys.insert(machine_key(target));
  EXPECT_EQ(keys.size(), 4U);
  EXPECT_THAT(*keys.begin(), testing::HasSubstr("oneDNN"));
}

}  // namespace
}  // namespace deeper::backend
