#pragma once

#include <filesystem>
#include <string>

#include "ir/tensor.h"

namespace deeper::frontend {

struct TensorFile {
  std::string name;
  ir::Tensor tensor;
};

// Reads an ONNX TensorProto from a file (.pb). Throws ModelError.
TensorFile read_tensor_file(const std::filesystem::path& path);

}  // namespace deeper::frontend
