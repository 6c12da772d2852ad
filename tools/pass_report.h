#pragma once

#include <string>

#include "tools/pass_study.h"

namespace deeper::tools {

// The study as one HTML page that needs no network: what each pass gains as a waterfall, a table that sorts, and the
// graph before and after every pass that changes it, drawn by Graphviz (`dot`), with what changed highlighted. Where
// there is no `dot` the page says so instead of the drawings.
std::string pass_report(const Study& study);

}  // namespace deeper::tools
