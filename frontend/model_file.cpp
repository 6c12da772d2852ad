#include "frontend/model_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <fstream>
#include <limits>

#include "ir/error.h"

namespace deeper::frontend {

namespace fs = std::filesystem;

std::string read_file_bytes(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw ModelError("there is no such file");
  if (!fs::is_regular_file(path, error)) throw ModelError("is not a file");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw ModelError(fmt::format("cannot be read: {}", error.message()));
  if (size > static_cast<std::uintmax_t>(std::numeric_limits<int>::max())) {
    throw ModelError(fmt::format("has {} bytes; one ONNX message holds 2 GB at most (use external data)", size));
  }
  std::string bytes(size, '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!stream) throw ModelError("cannot be read");
  return bytes;
}

ModelFile read_model_file(const fs::path& path) {
  const std::string bytes = read_file_bytes(path);
  ModelFile file;
  if (bytes.empty() || !file.model.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw ModelError("is not an ONNX model, or is truncated");
  }
  if (!file.model.has_graph()) throw ModelError("is not an ONNX model: it has no graph");
  file.hash = XXH3_64bits(bytes.data(), bytes.size());
  return file;
}

}  // namespace deeper::frontend
