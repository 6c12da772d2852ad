#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

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

void Progress::show(std::string_view what, double share) {
  if (!on_terminal_) return;
  constexpr std::size_t kWidth = 40;
  const double part = std::clamp(share, 0.0, 1.0);
  const auto done = static_cast<std::size_t>(part * kWidth);
  fmt::print(stderr, "\r\x1b[K{} [{}{}] {:3.0f} %", what, std::string(done, '#'), std::string(kWidth - done, '.'),
             100 * part);
  std::fflush(stderr);
}

}  // namespace deeper::tools
