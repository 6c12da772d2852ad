#include "tools/pass_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/dot.h"
#include "tools/graph_diff.h"
#include "tools/graphviz.h"
#include "tools/report_page.h"
#include "tools/svg_text.h"

namespace deeper::tools {
namespace {

double ms_of(const Study& study, const Variant& variant) { return study.builds[variant.build].latency_ms.median; }

// "saves 1.234 ms", as the table has it.
std::string remark_on(const Variant& variant) {
  if (!variant.changes_plan()) return "same plan";
  const double gain = variant.gain_ms.median;
  return fmt::format("{} {:.3f} ms{}", gain >= 0 ? "saves" : "costs", std::abs(gain),
                     variant.is_significant ? "" : ", inside the noise");
}

// Milliseconds across the page. It starts at a round number below the fastest build, not at 0: a pass is worth
// percents.
struct TimeAxis {
  static constexpr double kLeft = 260;
  static constexpr double kWidth = 600;
  double first = 0;
  double step = 1;
  double last = 1;
  double at(double ms) const { return kLeft + (ms - first) / (last - first) * kWidth; }
};

TimeAxis axis_over(const Study& study) {
  double least = study.builds.front().latency_ms.median;
  double most = least;
  for (const Variant& variant : study.variants) {
    if (variant.selection != Selection::none && variant.selection != Selection::up_to) continue;
    least = std::min(least, ms_of(study, variant));
    most = std::max(most, ms_of(study, variant));
  }
  const double span = std::max(1.6 * (most - least), 0.02 * most);
  TimeAxis axis;
  axis.step = std::pow(10, std::floor(std::log10(span / 4)));
  for (const double factor : {2.0, 2.5, 2.0}) {
    if (span / axis.step > 8) axis.step *= factor;
  }
  axis.first = std::max(0.0, std::floor((most - span) / axis.step) * axis.step);
  axis.last = std::ceil(most / axis.step) * axis.step;
  return axis;
}

std::string ticks(const TimeAxis& axis, double height) {
  std::string svg;
  const auto count = static_cast<int>(std::lround((axis.last - axis.first) / axis.step));
  for (int i = 0; i <= count; ++i) {
    const double ms = axis.first + i * axis.step;
    svg += fmt::format(
        "<path class=\"tick\" d=\"M{0:.1f} 18V{1:.0f}\"/><text x=\"{0:.1f}\" y=\"12\" text-anchor=\"middle\">{2:g}{3}"
        "</text>\n",
        axis.at(ms), height, ms, i == count ? " ms" : "");
  }
  return svg;
}

std::string bar(std::string_view label, double from, double to, double y, std::string_view color,
                std::string_view remark) {
  return fmt::format(
      "<text x=\"245\" y=\"{0:.0f}\" text-anchor=\"end\">{1}</text><rect x=\"{2:.1f}\" y=\"{3:.0f}\" width=\"{4:.1f}\" "
      "height=\"14\" fill=\"{5}\"/><text class=\"remark\" x=\"{6:.1f}\" y=\"{0:.0f}\">{7}</text>\n",
      y + 11, xml_text(label), from, y, std::max(1.5, to - from), color, 6 + std::max(to, from + 1.5), remark);
}

std::string waterfall(const Study& study) {
  constexpr double kRow = 22;
  const TimeAxis axis = axis_over(study);
  const auto total = [&](std::string_view label, double ms, double y) {
    return bar(label, TimeAxis::kLeft, axis.at(ms), y, "#1d4f91", fmt::format("{:.3f} ms", ms));
  };
  double y = 26;
  double before = ms_of(study, study.unoptimized());
  std::string rows = total("no pass", before, y);
  for (const Variant& variant : study.variants) {
    if (variant.selection != Selection::up_to) continue;
    y += kRow;
    const double after = ms_of(study, variant);
    const std::string_view color = !variant.is_significant      ? "#b8b8b8"
                                   : variant.gain_ms.median > 0 ? "#3a9a5c"
                                                                : "#c8453c";
    rows += bar(variant.pass, axis.at(std::min(before, after)), axis.at(std::max(before, after)), y, color,
                remark_on(variant));
    before = after;
  }
  y += kRow;
  rows += total("all passes", before, y);
  return fmt::format("<svg class=\"waterfall\" width=\"1120\" height=\"{0}\" viewBox=\"0 0 1120 {0}\">\n{1}{2}</svg>\n",
                     y + kRow, ticks(axis, y + kRow), rows);
}

std::string_view kind_of(const Variant& variant) {
  if (!variant.changes_plan()) return "same";
  if (!variant.is_significant) return "noise";
  return variant.gain_ms.median > 0 ? "better" : "worse";
}

std::string gain_text(const Variant& variant) {
  if (variant.selection == Selection::none) return "";
  if (!variant.changes_plan()) return "same plan";
  return fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]{}", variant.gain_ms.median, variant.gain_ms.low, variant.gain_ms.high,
                     variant.is_significant ? "" : " noise");
}

// What every pass that changes a plan is worth, the one that the pipeline would miss most first.
std::string worth_table(const Study& study) {
  std::string html =
      "<table id=\"worth\"><thead><tr><th class=\"name\">pass</th><th>the pipeline without it loses</th><th>in its "
      "turn "
      "it gains</th><th>alone it gains</th></tr></thead><tbody>\n";
  for (const PassWorth& worth : ranking(study)) {
    html += fmt::format("<tr><td class=\"name\">{}</td>", xml_text(worth.pass));
    for (const Variant* variant : {worth.without, worth.up_to, worth.alone}) {
      html += fmt::format("<td class=\"gain {}\" data-value=\"{}\">{}</td>", kind_of(*variant), variant->gain_ms.median,
                          gain_text(*variant));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table>\n" +
         fmt::format("<p>The same plan compiled twice differs by {:+.3f} ms [{:+.3f}, {:+.3f}].</p>\n",
                     study.control_ms.median, study.control_ms.low, study.control_ms.high);
}

std::string number_cell(double value, const std::string& text) {
  return fmt::format("<td data-value=\"{}\">{}</td>", value, text);
}

std::string table_row(const Study& study, const Variant& variant) {
  const Build& b = study.builds[variant.build];
  const auto mega = [](std::uint64_t bytes) {
    return number_cell(static_cast<double>(bytes), fmt::format("{:.2f}", static_cast<double>(bytes) / 1e6));
  };
  const auto whole = [](std::int64_t value) { return number_cell(static_cast<double>(value), fmt::to_string(value)); };
  return fmt::format("<tr class=\"{}\"><td class=\"name\">{}</td><td class=\"name\">{}</td>", kind_of(variant),
                     to_string(variant.selection), xml_text(variant.pass)) +
         whole(b.nodes) + whole(b.convolutions) + whole(b.steps) +
         number_cell(static_cast<double>(b.multiply_adds),
                     fmt::format("{:.3f}", static_cast<double>(b.multiply_adds) / 1e9)) +
         mega(b.bytes_moved) + mega(b.weights_bytes) + mega(b.arena_bytes) +
         number_cell(b.difference, fmt::format("{:.1e}", b.difference)) +
         number_cell(b.latency_ms.median,
                     fmt::format("{:.3f} [{:.3f}, {:.3f}]", b.latency_ms.median, b.latency_ms.low, b.latency_ms.high)) +
         fmt::format("<td class=\"gain\" data-value=\"{}\">{}</td></tr>\n", variant.gain_ms.median, gain_text(variant));
}

std::string table(const Study& study) {
  std::string html =
      "<div class=\"scroll\"><table id=\"variants\"><thead><tr><th class=\"name\">pipeline</th><th "
      "class=\"name\">pass</th><th>nodes</th><th>convs</th><th>steps</th><th>GMAC</th><th>moved MB</th><th>weights "
      "MB</th><th>arena MB</th><th>difference</th><th>ms [95 %]</th><th>gain of the pass, ms "
      "[99 %]</th></tr></thead><tbody>\n";
  for (const Variant& variant : study.variants) html += table_row(study, variant);
  return html + "</tbody></table></div>\n";
}

// The passes that change the graph, one after the other, and the builds that they lead between.
std::vector<const Variant*> changing_passes(const Study& study) {
  std::vector<const Variant*> steps;
  for (const Variant& variant : study.variants) {
    if (variant.selection == Selection::up_to && variant.changes_plan()) steps.push_back(&variant);
  }
  return steps;
}

// Ids of nodes in drawings: those of to_dot(), "v" and the value's index.
nlohmann::json drawn_ids(const ir::Graph& graph, const std::set<std::string>& results) {
  nlohmann::json ids = nlohmann::json::array();
  for (const ir::NodeId id : graph.order()) {
    const ir::ValueId output = graph.node(id).output;
    if (results.contains(graph.value(output).name)) ids.push_back(fmt::format("v{}", output.index));
  }
  return ids;
}

nlohmann::json changes_of(const Study& study, const std::vector<const Variant*>& steps) {
  nlohmann::json changes = nlohmann::json::array();
  for (const Variant* step : steps) {
    const ir::Graph& before = study.builds[step->versus].graph;
    const ir::Graph& after = study.builds[step->build].graph;
    const GraphDiff diff = difference(before, after);
    changes.push_back({{"pass", step->pass},
                       {"before", step->versus},
                       {"after", step->build},
                       {"removed", drawn_ids(before, diff.removed)},
                       {"added", drawn_ids(after, diff.added)},
                       {"changed", drawn_ids(after, diff.changed)}});
  }
  return changes;
}

constexpr std::string_view kViewer = R"(<p id="summary"></p>
<p><button id="goto">next change</button><button id="larger">larger</button><button id="smaller">smaller</button>
<button id="fit">whole graph</button> wheel zooms, drag moves
<span class="key"><span style="background:#f7c6c2">removed</span><span style="background:#fbe3a6">changed</span><span
style="background:#c4ecd0">added</span></span></p>
<div class="pair"><div class="pane"><h3>before</h3><div class="view" id="before"></div></div>
<div class="pane"><h3>after</h3><div class="view" id="after"></div></div></div>
)";

std::string drawings(const Study& study) {
  const std::vector<const Variant*> steps = changing_passes(study);
  std::string html = "<h2>The graph before and after each pass</h2>\n";
  std::string templates;
  std::set<std::size_t> drawn;
  for (const Variant* step : steps) {
    for (const std::size_t build : {step->versus, step->build}) {
      if (!drawn.insert(build).second) continue;
      const std::optional<std::string> svg = draw(to_dot(study.builds[build].graph));
      if (!svg) return html + "<p id=\"undrawn\">Not drawn: Graphviz (the program dot) is not installed here.</p>\n";
      templates += fmt::format("<template id=\"graph{}\">{}</template>\n", build, *svg);
    }
  }
  if (steps.empty()) return html + "<p id=\"undrawn\">No pass changes this graph.</p>\n";
  html += "<p id=\"steps\">";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    html += fmt::format("<button data-step=\"{}\">{}</button>", i, xml_text(steps[i]->pass));
  }
  html += fmt::format("</p>\n{}{}", kViewer, templates);
  html +=
      fmt::format("<script type=\"application/json\" id=\"changes\">{}</script>\n", changes_of(study, steps).dump());
  return html;
}

}  // namespace

std::string pass_report(const Study& study) {
  const std::string model = xml_text(study.model);
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>passes of {0}</title>\n"
             "<style>{1}</style></head><body>\n<h1>What each pass is worth: {0}</h1>\n"
             "<p>{2} thread(s), {3} rounds over {4} different plans in one process. Latencies are medians of whole "
             "runs with their 95 % interval. A gain is the median difference of two plans within a round in ms, with "
             "its 99 % interval; one that holds 0, or is less than what the same plan compiled twice shows, is noise. "
             "Difference: the largest relative L2 difference of an output from the unoptimized graph in double.</p>\n",
             model, kReportStyle, study.threads, study.runs, study.builds.size() - 1) +
         worth_table(study) + "<h2>Latency, one pass after the other</h2>\n" + waterfall(study) +
         "<h2>All variants</h2>\n" + table(study) + drawings(study) + "<script>" + std::string(kReportScript) +
         "</script>\n</body></html>\n";
}

}  // namespace deeper::tools
