#pragma once

#include <string>
#include <vector>

#include "frontend/import.h"
#include "frontend/model_index.h"
#include "ir/type.h"

namespace deeper::frontend {

struct BoundInput {
  std::string name;
  std::int32_t onnx_type = 0;
  ir::Type type;
};

// The graph's inputs (those that are no initializers, in order) with every symbolic dim bound as ImportOptions says.
// With outputs chosen, only inputs in `needed` count. An unnamed dim goes by "INPUT[AXIS]". ModelError naming the dim
// where one cannot be bound or is bound to two extents, and for options that fit no input or dim.
std::vector<BoundInput> bind_inputs(const onnx::GraphProto& graph, const ModelIndex& index,
                                    const std::unordered_set<std::string_view>& needed, const ImportOptions& options);

}  // namespace deeper::frontend
