#pragma once

#include <cstdint>
#include <limits>

#include "backend/kernels/conv_shape.h"
#include "runtime/kernel.h"

namespace deeper::backend {

// How a team shares a grid of `rows` x `columns` equal pieces of work: rows in `row_parts`, columns in `column_parts`.
struct Split {
  std::int64_t row_parts = 1;
  std::int64_t column_parts = 1;
};

// A split, and the time it takes.
struct TeamSplit {
  Split split;
  double ns = std::numeric_limits<double>::infinity();
};

// The split of least work for the busiest member; of equal ones the one with more column parts where
// `prefer_columns`, else the one with more row parts.
Split choose_split(std::int64_t rows, std::int64_t columns, std::int64_t members, bool prefer_columns);

// What it costs that `column_parts` members share the output channels instead of the pixels of a convolution, in
// nanoseconds: all but their share of the input is in others' caches, and so is all but its share of the result for
// each member of the next step.
double others_ns(const ConvShape& shape, std::int64_t column_parts);

// What one member does.
struct Part {
  Range rows;
  Range columns;
};
Part part_of(const Split& split, std::int64_t rows, std::int64_t columns, runtime::Team team);

}  // namespace deeper::backend
