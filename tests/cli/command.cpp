#include "tests/cli/command.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <stdexcept>

#include "tools/files.h"

namespace deeper::tests {

CommandResult run_deeper(const std::string& arguments) {
  const TemporaryFolder folder;
  const std::string command =
      std::string(DEEPER_BINARY_DIR "/deeper ") + arguments + " >" + folder.file("out") + " 2>" + folder.file("error");
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, tools::read_file(folder / "out"),
          tools::read_file(folder / "error")};
}

TemporaryFolder::TemporaryFolder() {
  std::string name = DEEPER_BINARY_DIR "/test.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace deeper::tests
