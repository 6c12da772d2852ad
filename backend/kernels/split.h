#pragma once

#include <cstdint>

#include "backend/kernels/conv_shape.h"
#include "runtime/kernel.h"

namespace deeper::backend {

// How a team shares a grid of `rows` x `columns` equal pieces of work: rows in `row_parts`, columns in `column_parts`.
struct Split {
  std::int64_t row_parts = 1;
  std::int64_t column_parts = 1;
};

// The split of least work for the busiest member; of equal ones the one with more column parts where
// `prefer_columns`, else the one with more row parts.
Split choose_split(std::int64_t rows, std::int64_t columns, std::int64_t members, bool prefer_columns);

// What one member does.
struct Part {
  Range rows;
  Range columns;
};
Part part_of(const Split& split, std::int64_t rows, std::int64_t columns, runtime::Team team);

}  // namespace deeper::backend
