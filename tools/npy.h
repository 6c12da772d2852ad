#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ir/type.h"

// NumPy's .npy files (format versions 1 to 3).
namespace deeper::tools {

struct NpyArray {
  ir::Shape shape;
  std::vector<double> data;  // row-major whatever the file's order
};

// Any boolean, integer or floating type of either byte order, C or Fortran order. Throws ModelError.
NpyArray read_npy(const std::filesystem::path& path);

// float32, C order; written to a temporary name and renamed. Throws ModelError.
void write_npy(const std::filesystem::path& path, const ir::Shape& shape, std::span<const float> data);

}  // namespace deeper::tools
