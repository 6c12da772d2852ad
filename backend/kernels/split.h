#pragma once

#include <cstdint>
#include <functional>
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

// The fastest split of a convolution whose rows are pixels and whose columns, at most `most_columns`, are output
// channels: `member_ns` is the time of the member that has most to do, besides what it costs to read what others wrote,
// at `others_bytes_per_ns`.
TeamSplit fastest_split(const ConvShape& shape, std::int64_t members, std::int64_t most_columns,
                        double others_bytes_per_ns, const std::function<double(const Split& split)>& member_ns);

// What one member does.
struct Part {
  Range rows;
  Range columns;
};
Part part_of(const Split& split, std::int64_t rows, std::int64_t columns, runtime::Team team);

}  // namespace deeper::backend
