#include "frontend/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

#include "ir/error.h"

namespace deeper::frontend {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

std::uint64_t parse_count(const std::string& key, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw ModelError(fmt::format("external data has {} '{}', not a number of bytes", key, text));
  }
  return value;
}

Entry parse_entry(const onnx::TensorProto& tensor) {
  Entry entry;
  for (const onnx::StringStringEntryProto& pair : tensor.external_data()) {
    if (pair.key() == "location") entry.location = pair.value();
    if (pair.key() == "offset") entry.offset = parse_count(pair.key(), pair.value());
    if (pair.key() == "length") entry.length = parse_count(pair.key(), pair.value());
  }
  if (entry.location.empty()) throw ModelError("external data has no location");
  return entry;
}

bool is_inside(const fs::path& file, const fs::path& folder) {
  return std::ranges::mismatch(folder, file).in1 == folder.end();
}

}  // namespace

fs::path ExternalData::resolve(const std::string& location) const {
  const fs::path relative(location);
  const bool climbs = std::ranges::find(relative, fs::path("..")) != relative.end();
  if (relative.is_absolute() || climbs || location.find('\0') != std::string::npos) {
    throw ModelError(fmt::format("external data '{}' is not inside the model's folder", location));
  }
  std::error_code error;
  const fs::path folder = fs::canonical(folder_.empty() ? fs::path(".") : folder_, error);
  fs::path file = error ? fs::path() : fs::canonical(folder / relative, error);
  if (error) throw ModelError(fmt::format("external data '{}' cannot be read: {}", location, error.message()));
  if (!is_inside(file, folder)) {
    throw ModelError(fmt::format("external data '{}' is a link out of the model's folder", location));
  }
  if (!fs::is_regular_file(file, error)) throw ModelError(fmt::format("external data '{}' is not a file", location));
  return file;
}

std::string ExternalData::read(const onnx::TensorProto& tensor, std::uint64_t byte_count) const {
  const Entry entry = parse_entry(tensor);
  const fs::path file = resolve(entry.location);
  if (entry.length.value_or(byte_count) != byte_count) {
    throw ModelError(fmt::format("external data '{}' gives {} bytes, the shape takes {}", entry.location, *entry.length,
                                 byte_count));
  }
  const std::uint64_t size = fs::file_size(file);
  if (entry.offset > size || size - entry.offset < byte_count) {
    throw ModelError(fmt::format("external data '{}' has {} bytes, too few for {} at offset {}", entry.location, size,
                                 byte_count, entry.offset));
  }
  std::string bytes(byte_count, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(entry.offset));
  stream.read(bytes.data(), static_cast<std::streamsize>(byte_count));
  if (!stream) throw ModelError(fmt::format("external data '{}' cannot be read", entry.location));
  return bytes;
}

}  // namespace deeper::frontend
