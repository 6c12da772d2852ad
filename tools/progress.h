#pragma once

#include <string>
#include <string_view>

namespace deeper::tools {

// One line on standard error that says what is going on and how far, on a terminal only; gone when done.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::string_view what);
  // The same with a bar; `share` of it is done, from 0 to 1.
  void show(std::string_view what, double share);

 private:
  bool on_terminal_;
};

}  // namespace deeper::tools
