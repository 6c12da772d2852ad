#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/kernels/conv_shape.h"
#include "runtime/kernel.h"

namespace deeper::backend {

// What a member of a team reads and writes in a convolution's step.
struct ConvMemory {
  const float* source = nullptr;
  const float* weights = nullptr;
  const float* bias = nullptr;      // null where there is none
  const float* residual = nullptr;  // null where there is none
  float* result = nullptr;
  float* scratch = nullptr;  // the member's own part
};

// Where a step whose operands are x, packed weights, [bias], [residual] has them among its addresses.
class ConvAddresses {
 public:
  ConvAddresses() = default;
  ConvAddresses(const ConvShape& shape, const runtime::Step& step, int threads)
      : has_bias_(shape.has_bias),
        has_residual_(shape.has_residual),
        result_(step.operands.size()),
        scratch_share_(static_cast<std::int64_t>(step.scratch.bytes) / threads / kLine * kLine) {}

  ConvMemory of(runtime::Addresses addresses, runtime::Team member) const {
    const auto floats = [&](std::size_t i) { return reinterpret_cast<float*>(addresses[i]); };
    return {.source = floats(0),
            .weights = floats(1),
            .bias = has_bias_ ? floats(2) : nullptr,
            .residual = has_residual_ ? floats(3) : nullptr,
            .result = floats(result_),
            .scratch = reinterpret_cast<float*>(addresses[result_ + 1] + member.index * scratch_share_)};
  }

 private:
  static constexpr std::int64_t kLine = 64;  // bytes
  bool has_bias_ = false;
  bool has_residual_ = false;
  std::size_t result_ = 0;
  std::int64_t scratch_share_ = 0;  // bytes
};

}  // namespace deeper::backend
