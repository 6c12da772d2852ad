#pragma once

#include <string>
#include <string_view>

namespace deeper::tools {

// One line on standard error that says what is going on, on a terminal only; gone when done.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::string_view what);

 private:
  bool on_terminal_;
};

}  // namespace deeper::tools
