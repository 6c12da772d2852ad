#pragma once

#include <filesystem>
#include <string>

namespace deeper::tests {

struct CommandResult {
  int status = -1;
  std::string out;
  std::string error;
};

// Runs `deeper ARGUMENTS` of this build through the shell and waits for it.
CommandResult run_deeper(const std::string& arguments);

// A fresh folder under the build, gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace deeper::tests
