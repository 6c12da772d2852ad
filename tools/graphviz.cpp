#include "tools/graphviz.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

namespace deeper::tools {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

bool run_dot(int in, int out) {
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) != 0) return false;
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
  std::string program = "dot";
  std::string format = "-Tsvg";
  std::array<char*, 3> arguments{program.data(), format.data(), nullptr};
  pid_t child = 0;
  const bool started = posix_spawnp(&child, "dot", &actions, nullptr, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return started && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string read_all(std::FILE* file) {
  std::string text;
  std::array<char, 65536> block{};
  std::rewind(file);
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file)) text.append(block.data(), count);
  return text;
}

}  // namespace

std::optional<std::string> draw(const std::string& dot) {
  const File in(std::tmpfile(), &std::fclose);
  const File out(std::tmpfile(), &std::fclose);
  if (!in || !out || std::fwrite(dot.data(), 1, dot.size(), in.get()) != dot.size()) return std::nullopt;
  std::rewind(in.get());
  if (!run_dot(fileno(in.get()), fileno(out.get()))) return std::nullopt;
  const std::string svg = read_all(out.get());
  const std::size_t begin = svg.find("<svg");
  if (begin == std::string::npos) return std::nullopt;
  return svg.substr(begin);  // without the XML declaration, which HTML does not know
}

}  // namespace deeper::tools
