#pragma once

#include "frontend/external_data.h"
#include "frontend/onnx_proto.h"
#include "ir/tensor.h"

namespace deeper::frontend {

// No value of a model may have more elements than this.
inline constexpr std::int64_t kMostElements = std::int64_t{1} << 28;

// Number of elements of `shape`; ModelError where it or an extent overflows or is above kMostElements.
std::int64_t checked_element_count(const ir::Shape& shape);

// A TensorProto as the IR holds it, from raw, typed or external data. ModelError where the element type is not
// supported, or the data is not exactly what the shape takes; checked before anything is allocated.
ir::Tensor decode_tensor(const onnx::TensorProto& tensor, const ExternalData& external);

// A SparseTensorProto as a dense tensor, zero where it has no value. The same errors, and one for an index outside.
ir::Tensor decode_sparse_tensor(const onnx::SparseTensorProto& sparse, const ExternalData& external);

}  // namespace deeper::frontend
