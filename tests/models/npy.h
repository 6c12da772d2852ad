#pragma once

#include <filesystem>

#include "ir/evaluate.h"

namespace deeper::models {

// Reads a .npy file of float32, float64, float16 or uint8 numbers in C order. Throws std::runtime_error.
ir::Array read_npy(const std::filesystem::path& path);

}  // namespace deeper::models
