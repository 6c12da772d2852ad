#include "backend/kernels/split.h"

namespace deeper::backend {
namespace {

// What it costs that `column_parts` members share the output channels instead of the pixels, in nanoseconds: all but
// their share of the input is in others' caches, and so is all but its share of the result for each member of the next
// step.
double others_ns(const ConvShape& shape, std::int64_t column_parts, double bytes_per_ns) {
  const std::int64_t floats = shape.batch * (shape.input[0] * shape.input[1] * shape.in_channels +
                                             shape.output[0] * shape.output[1] * shape.out_channels);
  const double bytes = static_cast<double>(floats) * sizeof(float);
  return bytes * (1 - 1 / static_cast<double>(column_parts)) / bytes_per_ns;
}

}  // namespace

Split choose_split(std::int64_t rows, std::int64_t columns, std::int64_t members, bool prefer_columns) {
  Split best{.row_parts = members, .column_parts = 1};
  double best_cost = -1;
  for (std::int64_t row_parts = 1; row_parts <= members; ++row_parts) {
    if (members % row_parts != 0) continue;
    const std::int64_t column_parts = members / row_parts;
    const std::int64_t work = ((rows + row_parts - 1) / row_parts) * ((columns + column_parts - 1) / column_parts);
    const double favour = static_cast<double>(prefer_columns ? column_parts : row_parts);
    const double cost = static_cast<double>(work) * (1.0 + 0.03 / favour);
    if (best_cost < 0 || cost < best_cost) {
      best_cost = cost;
      best = {.row_parts = row_parts, .column_parts = column_parts};
    }
  }
  return best;
}

TeamSplit fastest_split(const ConvShape& shape, std::int64_t members, std::int64_t most_columns,
                        double others_bytes_per_ns, const std::function<double(const Split& split)>& member_ns) {
  TeamSplit best;
  for (std::int64_t row_parts = 1; row_parts <= members; ++row_parts) {
    const Split split{.row_parts = row_parts, .column_parts = members / row_parts};
    if (members % row_parts != 0 || split.column_parts > most_columns) continue;
    const double ns = member_ns(split) + others_ns(shape, split.column_parts, others_bytes_per_ns);
    if (ns < best.ns) best = {.split = split, .ns = ns};
  }
  return best;
}

Part part_of(const Split& split, std::int64_t rows, std::int64_t columns, runtime::Team team) {
  return {.rows = share(rows, team.index / split.column_parts, split.row_parts),
          .columns = share(columns, team.index % split.column_parts, split.column_parts)};
}

}  // namespace deeper::backend
