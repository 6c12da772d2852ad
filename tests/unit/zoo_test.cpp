#include "frontend/zoo/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "frontend/import.h"
#include "ir/error.h"
#include "ir/match.h"

namespace deeper::frontend {
namespace {

namespace fs = std::filesystem;

// A file of this process that goes with the test.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& name)
      : path_(fs::temp_directory_path() / (std::to_string(::getpid()) + "_" + name + ".onnx")) {}
  ~ScratchFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::uint64_t fnv1a(const std::string& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return hash;
}

std::int64_t weight_count(const ir::Graph& graph, const ir::Node& node) {
  const bool has_weights = std::holds_alternative<ir::Conv>(node.op) || std::holds_alternative<ir::MatMul>(node.op);
  return has_weights ? ir::element_count(graph.shape(node.inputs.at(1))) : 0;
}

// What the literature and other implementations give: multiply-adds in 1e9, weights in 1e6 bytes of fp32.
struct Published {
  double gmac;
  double megabytes;
};
const std::map<std::string, Published, std::less<>> kPublished{
    {"googlenet", {1.583, 28.0}},           {"googlenet_bn", {1.498, 26.4}},          {"bn_inception", {2.033, 45.1}},
    {"inception_v2_slim", {1.935, 44.7}},   {"inception_v3", {5.713, 95.2}},          {"inception_v4", {12.254, 170.5}},
    {"inception_resnet_v1", {1.418, 93.7}}, {"inception_resnet_v2", {13.156, 222.9}},
};

class ZooModel : public testing::TestWithParam<ZooEntry> {};

TEST_P(ZooModel, HasTheMultiplyAddsAndParametersItLists) {
  const ZooEntry& entry = GetParam();
  const ScratchFile file{std::string(entry.name)};
  write_zoo_model(entry.name, file.path(), {});
  const Imported all = import_model(file.path(), {});
  ImportOptions primary;
  primary.outputs = {all.outputs.at(0).name};
  ir::Graph graph = import_onnx(file.path(), primary);
  graph.prune();

  EXPECT_EQ(graph.shape(graph.inputs()[0]), (ir::Shape{1, 3, entry.size, entry.size}));
  std::int64_t multiply_adds = 0;
  std::int64_t parameters = 0;
  for (const ir::NodeId id : graph.order()) {
    multiply_adds += ir::multiply_adds(graph, graph.node(id), false);
    parameters += weight_count(graph, graph.node(id));
  }
  EXPECT_EQ(multiply_adds, entry.multiply_adds);
  EXPECT_EQ(parameters, entry.parameters);
  const auto published = kPublished.find(entry.name);
  if (published == kPublished.end()) return;
  EXPECT_NEAR(static_cast<double>(multiply_adds) * 1e-9, published->second.gmac, 0.0005);
  EXPECT_NEAR(static_cast<double>(parameters) * 4e-6, published->second.megabytes, 0.05);
}

INSTANTIATE_TEST_SUITE_P(All, ZooModel, testing::ValuesIn(zoo_entries().begin(), zoo_entries().end()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST(Zoo, ListsElevenModels) {
  std::vector<std::string> names;
  for (const ZooEntry& entry : zoo_entries()) names.emplace_back(entry.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("alexnet", "googlenet", "googlenet_bn", "inception_v1_naive",
                                                   "bn_inception", "inception_v2", "inception_v2_slim", "inception_v3",
                                                   "inception_v4", "inception_resnet_v1", "inception_resnet_v2"));
}

TEST(Zoo, AuxiliaryHeadsFollowTheNetworksOwnAnswer) {
  const auto outputs = [](const std::string& name) {
    const ScratchFile file{"heads_" + name};
    write_zoo_model(name, file.path(), {});
    std::vector<std::string> names;
    for (const PortInfo& port : import_model(file.path(), {}).outputs) names.push_back(port.name);
    return names;
  };
  EXPECT_THAT(outputs("googlenet"), testing::ElementsAre("prob", "aux1_prob", "aux2_prob"));
  EXPECT_THAT(outputs("inception_v3"), testing::ElementsAre("prob", "aux_prob"));
  EXPECT_THAT(outputs("googlenet_bn"), testing::ElementsAre("prob"));
}

TEST(Zoo, SeedDecidesEveryBit) {
  const std::string model = zoo_model("googlenet_bn", {.seed = 7, .size = 64});
  EXPECT_EQ(model, zoo_model("googlenet_bn", {.seed = 7, .size = 64}));
  EXPECT_NE(model, zoo_model("googlenet_bn", {.seed = 8, .size = 64}));
  // Of the bytes on any machine; a change of weights or structure on purpose changes it.
  EXPECT_EQ(fnv1a(model), 11441199011634775248U);
}

TEST(Zoo, OtherSizesImport) {
  for (const auto& [name, size] : {std::pair{"googlenet", 160}, {"inception_v2_slim", 97}, {"inception_v3", 139}}) {
    const ScratchFile file{std::string("size_") + name};
    write_zoo_model(name, file.path(), {.seed = 0, .size = size});
    const ir::Graph graph = import_onnx(file.path(), {});
    EXPECT_EQ(graph.shape(graph.inputs()[0]), (ir::Shape{1, 3, size, size})) << name;
    EXPECT_EQ(graph.shape(graph.outputs()[0].value), (ir::Shape{1, 1000})) << name;
  }
}

std::string error_of(std::string_view name, const ZooOptions& options) {
  try {
    zoo_model(name, options);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "";
}

TEST(Zoo, RefusesWhatItCannotBuild) {
  EXPECT_THAT(error_of("inception_v5", {}),
              testing::AllOf(testing::HasSubstr("inception_v5"), testing::HasSubstr("inception_v3")));
  EXPECT_THAT(error_of("inception_v3", {.seed = 0, .size = 40}), testing::HasSubstr("Mixed_"));
  EXPECT_THAT(error_of("bn_inception", {.seed = 0, .size = 112}), testing::HasSubstr("inception_4e"));
  EXPECT_THAT(error_of("inception_v3", {.seed = 0, .size = -1}), testing::HasSubstr("-1"));
  EXPECT_THAT(error_of("inception_v3", {.seed = 0, .size = 1 << 20}), testing::HasSubstr("1048576"));
}

TEST(Zoo, LeavesNothingHalfWritten) {
  const fs::path folder = fs::temp_directory_path() / ("zoo_" + std::to_string(::getpid()));
  fs::create_directory(folder);
  fs::create_directory(folder / "taken.onnx");
  EXPECT_THROW(write_zoo_model("googlenet_bn", folder / "missing" / "model.onnx", {.seed = 0, .size = 64}), ModelError);
  EXPECT_THROW(write_zoo_model("googlenet_bn", folder / "taken.onnx", {.seed = 0, .size = 64}), ModelError);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace deeper::frontend
