#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

// The Inception family, and AlexNet before it, as ONNX models that a training framework would leave: BatchNormalization
// nodes not yet folded, Dropout in place, a symbolic batch dim "N", opset 13. Weights are seeded, not trained.
namespace deeper::frontend {

struct ZooEntry {
  std::string_view name;
  int year = 0;
  std::string_view paper;
  std::int64_t size = 0;           // height and width of the input, 3 channels
  std::int64_t multiply_adds = 0;  // of convolutions and fully connected layers at that size, auxiliary heads left out
  std::int64_t parameters = 0;     // weights of the same layers, without biases and normalisation
  std::string_view summary;        // what sets it apart
};

// In the order in which they grew out of each other.
std::span<const ZooEntry> zoo_entries();

struct ZooOptions {
  std::uint64_t seed = 0;
  std::int64_t size = 0;  // height and width of the input; 0: the entry's
};

// A model as a serialized ONNX ModelProto: equal options, equal bytes, on every machine. The first output is the
// network's own answer, those after it are its auxiliary heads'. Throws ModelError for a name that is not in the zoo
// and for a size at which some window does not fit.
std::string zoo_model(std::string_view name, const ZooOptions& options);

// The same in a file, which is complete or not there. Throws ModelError where it cannot be written, too.
void write_zoo_model(std::string_view name, const std::filesystem::path& path, const ZooOptions& options);

}  // namespace deeper::frontend
