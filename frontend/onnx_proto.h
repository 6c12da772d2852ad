#pragma once

// The ONNX messages. Internal: no public header includes this one.
#include <onnx/onnx_pb.h>
