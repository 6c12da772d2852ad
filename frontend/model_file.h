#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "frontend/onnx_proto.h"

namespace deeper::frontend {

struct ModelFile {
  onnx::ModelProto model;
  std::uint64_t hash = 0;  // XXH3 of the file's bytes
};

// The bytes of a file that holds one protobuf message. ModelError where it cannot be read or is above 2 GB.
std::string read_file_bytes(const std::filesystem::path& path);

// Reads and parses an ONNX file. ModelError where it cannot be read or is not an ONNX model.
ModelFile read_model_file(const std::filesystem::path& path);

}  // namespace deeper::frontend
