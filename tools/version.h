#pragma once

#include <string>

namespace deeper::tools {

// "deeper 0.1.0 (oneDNN 2.6.3, ...)"
std::string version_text();

}  // namespace deeper::tools
