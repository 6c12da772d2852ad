#pragma once

#include <vector>

namespace deeper::tools {

// A median and between what bounds it lies.
struct Interval {
  double low = 0;
  double median = 0;
  double high = 0;
  bool contains(double value) const { return low <= value && value <= high; }
};

// Below this many samples no 95 % interval of the median exists.
inline constexpr int kFewestSamples = 6;

// The sample median with its 95 % confidence interval from order statistics (the binomial interval: no assumption on
// how the samples are distributed). Below kFewestSamples it is from least to greatest. Takes one
// sample or more.
Interval median_interval(std::vector<double> samples);

}  // namespace deeper::tools
