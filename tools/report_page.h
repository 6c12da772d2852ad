#pragma once

#include <string_view>

namespace deeper::tools {

// Style and behaviour of the page that pass_report() writes. The script sorts the table, shows the chosen step's two
// drawings with its changes marked, and zooms them by wheel, drag and buttons.
extern const std::string_view kReportStyle;
extern const std::string_view kReportScript;

}  // namespace deeper::tools
