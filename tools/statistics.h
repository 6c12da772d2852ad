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

// The sample median with the confidence interval from order statistics that leaves out `tail` (0.025 for 95 %) at
// either end (the binomial interval: no assumption on how the samples are distributed). Of too few samples for one
// (below 6 for 95 %, 8 for 99 %) it is from least to greatest. Takes one sample or more.
Interval median_interval(std::vector<double> samples, double tail);
double median(std::vector<double> samples);

}  // namespace deeper::tools
