#pragma once

#include <filesystem>
#include <string_view>

#include "ir/graph.h"

namespace deeper::ir {

// Reads the text form that print.h describes. `folder` is where side files lie.
// "# ..." to the end of a line is a comment. Throws ModelError with line and column.
Graph parse(std::string_view text, const std::filesystem::path& folder);
Graph parse(std::string_view text);

// Reads what print_op gives.
Op parse_op(std::string_view text);

}  // namespace deeper::ir
