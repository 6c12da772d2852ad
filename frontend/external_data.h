#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "frontend/onnx_proto.h"

namespace deeper::frontend {

// Tensor data kept in files beside a model. A location must lie inside the model's folder: absolute paths, ".." and
// symbolic links that lead out of it are refused.
class ExternalData {
 public:
  explicit ExternalData(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The bytes that `tensor` refers to, which must be exactly `byte_count`. Throws ModelError where the location is not
  // allowed or does not hold them; nothing is allocated before that is known.
  std::string read(const onnx::TensorProto& tensor, std::uint64_t byte_count) const;

 private:
  std::filesystem::path resolve(const std::string& location) const;

  std::filesystem::path folder_;
};

}  // namespace deeper::frontend
