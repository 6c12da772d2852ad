#pragma once

#include "frontend/onnx_proto.h"

namespace deeper::frontend {

// Replaces every node that calls one of the model's own functions by the function's nodes, to any depth. Values and
// nodes inside are named CALL/NAME. ModelError where functions call themselves, the result would be out of proportion,
// or a function uses another opset than the model.
void inline_functions(onnx::ModelProto& model);

}  // namespace deeper::frontend
