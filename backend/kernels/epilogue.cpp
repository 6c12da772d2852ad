#include "backend/kernels/epilogue.h"

#include <limits>

#include "ir/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/epilogue.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/kernels/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <bool kBias, bool kResidual, typename D>
void finish_vector(D d, const Epilogue& epilogue, float* block, const float* bias, const float* residual) {
  auto value = hn::LoadU(d, block);
  if constexpr (kBias) value = hn::Add(value, hn::LoadU(d, bias));
  if constexpr (kResidual) value = hn::Add(value, hn::LoadU(d, residual));
  hn::StoreU(activated(d, value, epilogue), d, block);
}

template <bool kBias, bool kResidual>
void finish(const Epilogue& epilogue, float* block, std::int64_t stride, std::int64_t pixels, std::int64_t channels,
            const float* bias, const float* residual, std::int64_t residual_stride) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    float* at = block + pixel * stride;
    const float* other = kResidual ? residual + pixel * residual_stride : nullptr;
    std::int64_t c = 0;
    for (; c + lanes <= channels; c += lanes) finish_vector<kBias, kResidual>(d, epilogue, at + c, bias + c, other + c);
    for (; c < channels; ++c) finish_vector<kBias, kResidual>(one, epilogue, at + c, bias + c, other + c);
  }
}

void finish_any(const Epilogue& epilogue, float* block, std::int64_t stride, std::int64_t pixels, std::int64_t channels,
                const float* bias, const float* residual, std::int64_t residual_stride) {
  const auto run = bias != nullptr ? (residual != nullptr ? finish<true, true> : finish<true, false>)
                                   : (residual != nullptr ? finish<false, true> : finish<false, false>);
  run(epilogue, block, stride, pixels, channels, bias, residual, residual_stride);
}

}  // namespace deeper::backend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend {

Epilogue make_epilogue(const ir::Activation& activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation.function) {
    case ir::Function::identity:
      return {.low = -kInfinity, .high = kInfinity, .slope = 1};
    case ir::Function::relu:
      return {.low = 0, .high = kInfinity, .slope = 1};
    case ir::Function::leaky_relu:
      return {.low = -kInfinity, .high = kInfinity, .slope = activation.alpha};
    case ir::Function::clip:
      return {.low = activation.alpha, .high = activation.beta, .slope = 1};
    default:
      throw InternalError("activation that no convolution kernel applies");
  }
}

FinishBlock finish_block(Isa isa) {
  switch (isa) {
    case Isa::amx:
    case Isa::avx512:
      return N_AVX3::finish_any;
    case Isa::avx2:
      return N_AVX2::finish_any;
    case Isa::sse41:
      break;
  }
  return HWY_STATIC_DISPATCH(finish_any);
}

}  // namespace deeper::backend
#endif
