#include "tools/files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "ir/error.h"

namespace deeper::tools {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, std::string_view what) {
  throw ModelError(fmt::format("{}: cannot {}: {}", path.string(), what, std::strerror(errno)));
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  errno = 0;
  if (std::filesystem::is_directory(path)) throw ModelError(fmt::format("{}: is a folder", path.string()));
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(path, "open");
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) refuse(path, "read");
  return bytes;
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  errno = 0;
  std::ofstream file(temporary, std::ios::binary);
  if (!file) refuse(path, "write");
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(temporary, path, error);
  if (!file || error) {
    if (error) errno = error.value();
    const int reason = errno;
    std::filesystem::remove(temporary, error);
    errno = reason;
    refuse(path, "write");
  }
}

void require_writable(const std::filesystem::path& path) {
  if (path.empty()) return;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (std::filesystem::is_directory(path)) errno = EISDIR;
  if (std::filesystem::is_directory(path) || ::access(folder.c_str(), W_OK) != 0) refuse(path, "write");
}

}  // namespace deeper::tools
