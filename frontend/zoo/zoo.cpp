#include "frontend/zoo/zoo.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <optional>
#include <system_error>

#include "frontend/zoo/models.h"
#include "frontend/zoo/network.h"
#include "ir/error.h"

namespace deeper::frontend {
namespace {

constexpr std::string_view kGoingDeeper = "Going Deeper with Convolutions";
constexpr std::string_view kRethinking = "Rethinking the Inception Architecture for Computer Vision";
constexpr std::string_view kResidual =
    "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning";

constexpr std::array<zoo::Model, 11> kModels{{
    {{"alexnet", 2012, "ImageNet Classification with Deep Convolutional Neural Networks", 227, 724'406'816, 60'954'656,
      "grouped convolutions, LRN, large fully connected layers"},
     0,
     zoo::build_alexnet},
    {{"googlenet", 2014, kGoingDeeper, 224, 1'582'671'872, 6'990'272,
      "Inception-v1: LRN, 5x5 branches, two auxiliary heads"},
     0,
     zoo::build_googlenet},
    {{"googlenet_bn", 2014, kGoingDeeper, 224, 1'498'376'192, 6'609'344,
      "torchvision's form: BatchNormalization, 3x3 for 5x5"},
     1e-3,
     zoo::build_googlenet_bn},
    {{"inception_v1_naive", 2014, kGoingDeeper, 224, 4'174'867'456, 23'207'104,
      "the module of figure 2a, without 1x1 reductions"},
     0,
     zoo::build_inception_v1_naive},
    {{"bn_inception", 2015,
      "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", 224,
      2'032'600'064, 11'264'192, "BatchNormalization, 5x5 as two 3x3"},
     1e-5,
     zoo::build_bn_inception},
    {{"inception_v2", 2015, kRethinking, 299, 6'098'145'888, 24'974'688, "the paper's table 1"},
     1e-3,
     zoo::build_inception_v2},
    {{"inception_v2_slim", 2016, kRethinking, 224, 1'934'857'216, 11'167'384,
      "TF-slim's form: BN-Inception with a separable 7x7 stem"},
     1e-3,
     zoo::build_inception_v2_slim},
    {{"inception_v3", 2015, kRethinking, 299, 5'713'216'096, 23'799'136, "7x7 as 1x7 and 7x1, an auxiliary head"},
     1e-3,
     zoo::build_inception_v3},
    {{"inception_v4", 2016, kResidual, 299, 12'253'974'624, 42'615'648, "a branching stem, more and wider modules"},
     1e-3,
     zoo::build_inception_v4},
    {{"inception_resnet_v1", 2016, kResidual, 160, 1'417'662'304, 23'432'032,
      "facenet's form: residual modules, an embedding of 512"},
     1e-3,
     zoo::build_inception_resnet_v1},
    {{"inception_resnet_v2", 2016, kResidual, 299, 13'155'794'016, 55'736'160,
      "scaled residual modules, twice as deep"},
     1e-3,
     zoo::build_inception_resnet_v2},
}};

constexpr auto kEntries = [] {
  std::array<ZooEntry, kModels.size()> entries;
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i] = kModels[i].entry;
  return entries;
}();

constexpr std::int64_t kLargestSize = 4096;

const zoo::Model& find_model(std::string_view name) {
  for (const zoo::Model& model : kModels) {
    if (model.entry.name == name) return model;
  }
  std::string known;
  for (const ZooEntry& entry : kEntries) known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  throw ModelError(fmt::format("no model '{}' in the zoo; it has {}", name, known));
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), std::ssize(bytes));
  file.close();
  if (!file) throw ModelError(fmt::format("cannot write '{}'", path.string()));
}

}  // namespace

std::span<const ZooEntry> zoo_entries() { return kEntries; }

std::string zoo_model(std::string_view name, const ZooOptions& options) {
  const zoo::Model& model = find_model(name);
  const std::int64_t size = options.size == 0 ? model.entry.size : options.size;
  if (size < 1 || size > kLargestSize) {
    throw ModelError(fmt::format("size {} of '{}': must be from 1 to {}", size, name, kLargestSize));
  }
  const auto epsilon =
      model.batch_norm_epsilon == 0 ? std::nullopt : std::optional<float>(static_cast<float>(model.batch_norm_epsilon));
  zoo::Network net(std::string(name), options.seed, epsilon);
  model.build(net, size);
  return net.serialize();
}

void write_zoo_model(std::string_view name, const std::filesystem::path& path, const ZooOptions& options) {
  const std::string bytes = zoo_model(name, options);
  std::filesystem::path unfinished = path;
  unfinished += ".part";
  std::error_code error;
  try {
    write_file(unfinished, bytes);
    std::filesystem::rename(unfinished, path, error);
    if (error) throw ModelError(fmt::format("cannot write '{}': {}", path.string(), error.message()));
  } catch (...) {
    std::filesystem::remove(unfinished, error);
    throw;
  }
}

}  // namespace deeper::frontend
