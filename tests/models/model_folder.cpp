#include "tests/models/model_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>

namespace deeper::models {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".onnx.gz";

}  // namespace

fs::path models_folder() {
  const char* shared = std::getenv("DEEPER_SHARED");
  const fs::path folder = (shared != nullptr ? fs::path(shared) : fs::path(DEEPER_SOURCE_DIR) / "../shared") / "models";
  return fs::exists(folder) ? fs::canonical(folder) : fs::path();
}

double relative_error(const ir::Array& actual, const ir::Array& expected) {
  if (actual.shape != expected.shape) return std::numeric_limits<double>::infinity();
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    difference += (actual.data[i] - expected.data[i]) * (actual.data[i] - expected.data[i]);
    norm += expected.data[i] * expected.data[i];
  }
  return std::sqrt(difference / norm);
}

std::vector<std::string> skeleton_names() {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(models_folder() / "skeletons", error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kSuffix)) names.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  std::ranges::sort(names);
  return names;
}

Refilled::~Refilled() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Refilled refill(const std::string& name) {
  const fs::path folder = fs::path(DEEPER_BINARY_DIR) / fmt::format("refilled.{}.{}", name, getpid());
  fs::create_directories(folder);
  const fs::path skeleton = models_folder() / "skeletons" / (name + std::string(kSuffix));
  const fs::path tool = models_folder() / "../tools/refill.py";
  const std::string command = fmt::format("/usr/bin/python3 '{}' '{}' '{}/model.onnx' --input '{}/input.npy'",
                                          tool.string(), skeleton.string(), folder.string(), folder.string());
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  return Refilled(folder);
}

}  // namespace deeper::models
