#include "frontend/importer_table.h"

#include <array>
#include <string>

#include "ir/error.h"

namespace deeper::frontend {
namespace {

std::array<std::span<const ImporterRow>, 12> families() {
  return {convolution_rows(), pooling_rows(), normalization_rows(), elementwise_rows(),
          reduction_rows(),   shape_rows(),   slicing_rows(),       constant_rows(),
          head_rows(),        resize_rows(),  quantization_rows(),  quantized_rows()};
}

}  // namespace

const ImporterRow& find_importer(std::string_view domain, std::string_view op_type, std::int64_t opset) {
  bool knows_domain = false;
  std::string supported;
  for (const std::span<const ImporterRow> rows : families()) {
    for (const ImporterRow& row : rows) {
      if (row.domain != domain) continue;
      knows_domain = true;
      if (row.op_type != op_type) continue;
      if (row.first_opset <= opset && opset <= row.last_opset) return row;
      supported += fmt::format("{}{} to {}", supported.empty() ? "" : ", ", row.first_opset,
                               row.last_opset == kOpen ? kLastOpset : row.last_opset);
    }
  }
  require(knows_domain, "domain '{}' is not supported", domain);
  require(!supported.empty(), "the operator is not supported");
  throw ModelError(fmt::format("the operator is supported in opset {} only", supported));
}

}  // namespace deeper::frontend
