#include "tools/version.h"

#include <fmt/format.h>

#include "runtime/machine.h"

namespace deeper::tools {

std::string version_text() { return fmt::format("deeper {} (oneDNN {})", DEEPER_VERSION, runtime::onednn_version()); }

}  // namespace deeper::tools
