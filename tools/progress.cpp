#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace deeper::tools {

Progress::Progress() : on_terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (on_terminal_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::show(std::string_view what) {
  if (!on_terminal_) return;
  fmt::print(stderr, "\r\x1b[K{} ...", what);
  std::fflush(stderr);
}

}  // namespace deeper::tools
