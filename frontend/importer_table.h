#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "frontend/node_context.h"

namespace deeper::frontend {

// Models of opset 1 and 2 pass only where all their operators have been the same ever since (rows from 1 on); the other
// rows begin at 3.
inline constexpr std::int64_t kFirstOpset = 1;
// Opset 23 changes none of the operators here but for element types, so models that declare it are accepted.
inline constexpr std::int64_t kLastOpset = 23;
inline constexpr std::int64_t kOpen = std::numeric_limits<std::int64_t>::max();

inline constexpr std::string_view kMicrosoft = "com.microsoft";

// One ONNX operator over a range of opsets of its domain ("" is the default one).
struct ImporterRow {
  std::string_view domain;
  std::string_view op_type;
  std::int64_t first_opset;
  std::int64_t last_opset;
  void (*import)(NodeContext& node);
};

// THE importer table, by family; each family's rows stand at the end of its source (ops_FAMILY.cpp).
std::span<const ImporterRow> convolution_rows();
std::span<const ImporterRow> pooling_rows();
std::span<const ImporterRow> normalization_rows();
std::span<const ImporterRow> elementwise_rows();
std::span<const ImporterRow> reduction_rows();
std::span<const ImporterRow> shape_rows();
std::span<const ImporterRow> slicing_rows();
std::span<const ImporterRow> constant_rows();
std::span<const ImporterRow> head_rows();
std::span<const ImporterRow> resize_rows();
std::span<const ImporterRow> quantization_rows();
std::span<const ImporterRow> quantized_rows();

// The row for an operator. ModelError saying whether domain, operator or opset is not supported.
const ImporterRow& find_importer(std::string_view domain, std::string_view op_type, std::int64_t opset);

}  // namespace deeper::frontend
