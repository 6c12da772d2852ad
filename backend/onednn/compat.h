#pragma once

#include <array>
#include <cstdint>
#include <dnnl.hpp>
#include <string>
#include <vector>

#include "ir/ops.h"

// The one place that knows how oneDNN 2.6 and 3.x differ. Every function gives an empty descriptor where the library
// has no implementation for the request, and never throws dnnl::error.
namespace deeper::backend::onednn {

using Desc = dnnl::memory::desc;
using PrimitiveDesc = dnnl::primitive_desc_base;

// The engine of this process's CPU.
const dnnl::engine& cpu_engine();

struct Window {
  ir::Extent2 strides{1, 1};
  ir::Extent2 dilations{1, 1};  // 1: dense
  ir::Pads pads{0, 0, 0, 0};
};

// An absent bias is an empty desc. Weights may be of format `any`.
PrimitiveDesc convolution(const Desc& source, const Desc& weights, const Desc& bias, const Desc& destination,
                          const Window& window, const dnnl::primitive_attr& attributes);
PrimitiveDesc inner_product(const Desc& source, const Desc& weights, const Desc& bias, const Desc& destination,
                            const dnnl::primitive_attr& attributes);
PrimitiveDesc matmul(const Desc& source, const Desc& weights, const Desc& bias, const Desc& destination,
                     const dnnl::primitive_attr& attributes);
PrimitiveDesc eltwise(dnnl::algorithm algorithm, float alpha, float beta, const Desc& source, const Desc& destination,
                      const dnnl::primitive_attr& attributes);
PrimitiveDesc binary(dnnl::algorithm algorithm, const Desc& a, const Desc& b, const Desc& destination,
                     const dnnl::primitive_attr& attributes);
PrimitiveDesc prelu(const Desc& source, const Desc& slopes, const dnnl::primitive_attr& attributes);

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta);

bool is_empty(const Desc& desc);

}  // namespace deeper::backend::onednn
