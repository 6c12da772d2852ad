#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/profile.h"
#include "tools/svg_text.h"

namespace deeper::tools {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 460;
constexpr double kLeft = 60;
constexpr double kBottom = 410;
constexpr double kTop = 30;
constexpr double kRight = 730;

// Decades that hold all numbers.
struct LogAxis {
  double first = 0;
  double last = 1;
  double from = 0;  // pixels
  double to = 1;
  double at(double value) const { return from + (std::log10(value) - first) / (last - first) * (to - from); }
};

LogAxis axis_over(double least, double most, double from, double to) {
  const double first = std::floor(std::log10(least));
  return {first, std::max(first + 1, std::ceil(std::log10(most))), from, to};
}

std::string grid(const LogAxis& x, const LogAxis& y) {
  std::string svg;
  for (double e = x.first; e <= x.last; ++e) {
    const double at = x.at(std::pow(10, e));
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{0:.1f} {1}V{2}\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4:g}</text>\n",
        at, kTop, kBottom, kBottom + 16, std::pow(10, e));
  }
  for (double e = y.first; e <= y.last; ++e) {
    const double at = y.at(std::pow(10, e));
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{0} {1:.1f}H{2}\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5:g}</text>\n",
        kLeft, at, kRight, kLeft - 6, at + 4, std::pow(10, e));
  }
  return svg;
}

std::string roofs(const LogAxis& x, const LogAxis& y, const MachineRates& machine) {
  const double ridge = machine.gflops / machine.gbytes_per_second;
  const double least = std::max(std::pow(10, x.first), std::pow(10, y.first) / machine.gbytes_per_second);
  return fmt::format(
      "<path class=\"roof\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}H{}\"/>\n"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0f} GFLOP/s from registers; {:.1f} GB/s from memory</text>\n",
      x.at(least), y.at(least * machine.gbytes_per_second), x.at(ridge), y.at(machine.gflops), kRight, kRight,
      kBottom - 8, machine.gflops, machine.gbytes_per_second);
}

std::string points(const LogAxis& x, const LogAxis& y, const std::vector<const StepProfile*>& steps) {
  std::string svg;
  for (const StepProfile* s : steps) {
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"><title>{}: {:.3f} ms, {:.1f} GFLOP/s, {:.0f} % of its "
        "roof</title></circle>\n",
        x.at(s->intensity()), y.at(s->gflops), 2.5 + 20 * std::sqrt(s->share), xml_text(s->step->name), s->ms,
        s->gflops, 100 * s->of_roof);
  }
  return svg;
}

}  // namespace

std::string roofline_svg(const Profile& profile) {
  std::vector<const StepProfile*> steps;
  double least_x = profile.machine.gflops / profile.machine.gbytes_per_second;
  double most_x = least_x;
  double least_y = profile.machine.gflops;
  double most_y = least_y;
  for (const StepProfile& s : profile.steps) {
    if (s.step->multiply_adds == 0) continue;
    steps.push_back(&s);
    least_x = std::min(least_x, s.intensity());
    most_x = std::max(most_x, s.intensity());
    least_y = std::min(least_y, s.gflops);
    most_y = std::max(most_y, s.gflops);
  }
  const LogAxis x = axis_over(least_x, most_x, kLeft, kRight);
  const LogAxis y = axis_over(least_y, most_y, kBottom, kTop);
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\">\n"
             "<style>text{{font:12px sans-serif;fill:#333}}.grid{{stroke:#ddd;fill:none}}"
             ".roof{{stroke:#b22;stroke-width:2;fill:none}}"
             "circle{{fill:#27c;fill-opacity:.45;stroke:#15a}}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
             kWidth, kHeight) +
         grid(x, y) + roofs(x, y, profile.machine) + points(x, y, steps) +
         fmt::format(
             "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">operations per byte (area: share of time)</text>\n"
             "<text x=\"{}\" y=\"18\">GFLOP/s</text>\n</svg>\n",
             (kLeft + kRight) / 2, kHeight - 12, 8);
}

}  // namespace deeper::tools
