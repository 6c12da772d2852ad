#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

// Errors of deeper. Both kinds are thrown at compile time only and caught once, at the edge (command line, C API).
namespace deeper {

// The model, its data or the user's request is at fault. what() is one line that names the place,
// for instance "node 'Mixed_5b/conv' (Conv, opset 9): ...".
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// deeper itself is at fault: an invariant does not hold.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Throws InternalError naming the condition, the place in the source and what was being done.
[[noreturn]] void check_failed(std::string_view condition, std::string_view what, const char* file, int line);

}  // namespace deeper

// Stays on in every build. `what` names the operation and the node it concerns.
#define DEEPER_CHECK(condition, what)                                               \
  do {                                                                              \
    if (!(condition)) ::deeper::check_failed(#condition, what, __FILE__, __LINE__); \
  } while (false)
