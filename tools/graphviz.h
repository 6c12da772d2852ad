#pragma once

#include <optional>
#include <string>

namespace deeper::tools {

// The drawing as SVG, made by running Graphviz's `dot` as a child process; nothing where it is not installed or fails.
std::optional<std::string> draw(const std::string& dot);

}  // namespace deeper::tools
