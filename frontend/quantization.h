#pragma once

#include <optional>

#include "frontend/node_context.h"

// Affine quantization, real = (stored - zero_point) * scale, with the stored numbers kept as f32. Rounding is half to
// even and results saturate to the range of the zero point's type, as ONNX defines.
namespace deeper::frontend {

// Scale and zero point as f32 values that broadcast against what they quantize.
struct Quantization {
  ir::ValueId scale;
  ir::ValueId zero_point;  // none: 0
  float low = 0;           // of the stored type
  float high = 255;
};

// Reads operands `scale` and `scale + 1` (the zero point, which may be absent: 0 of type uint8). Where they have more
// than one element these run along `axis` of a value of rank `rank`.
Quantization read_quantization(NodeContext& node, std::size_t scale, std::int64_t axis, std::int64_t rank);

// stored - zero_point
ir::ValueId centred(NodeContext& node, ir::ValueId stored, const Quantization& quantization);
ir::ValueId dequantize(NodeContext& node, ir::ValueId stored, const Quantization& quantization);

// Gives output `output` of the node: `scaled` is already divided by the scale.
void saturated_result(NodeContext& node, std::size_t output, ir::ValueId scaled, const Quantization& quantization);
void quantized_result(NodeContext& node, ir::ValueId real, const Quantization& quantization);

}  // namespace deeper::frontend
