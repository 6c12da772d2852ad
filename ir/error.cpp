#include "ir/error.h"

#include <fmt/format.h>

namespace deeper {

void check_failed(std::string_view condition, std::string_view what, const char* file, int line) {
  throw InternalError(fmt::format("internal error: {}: '{}' does not hold ({}:{})", what, condition, file, line));
}

}  // namespace deeper
