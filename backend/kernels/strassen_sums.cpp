#include "backend/kernels/strassen_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/kernels/strassen_sums.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::strassen::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename D>
HWY_INLINE void sum_vector(D d, const Quarters& from, std::int64_t c, float* to, std::int64_t step) {
  const auto lower_odd = hn::LoadU(d, from.lower_odd + c);
  const auto upper_odd = hn::LoadU(d, from.upper_odd + c);
  const auto t1 = hn::Sub(lower_odd, hn::LoadU(d, from.lower_even + c));
  const auto t2 = hn::Sub(upper_odd, t1);
  hn::StoreU(t1, d, to + c);
  hn::StoreU(t2, d, to + step + c);
  hn::StoreU(hn::Sub(upper_odd, lower_odd), d, to + 2 * step + c);
  hn::StoreU(hn::Sub(t2, hn::LoadU(d, from.upper_even + c)), d, to + 3 * step + c);
}

void sum_all(const Quarters& from, std::int64_t channels, float* to, std::int64_t step) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) sum_vector(d, from, c, to, step);
  for (; c < channels; ++c) sum_vector(one, from, c, to, step);
}

}  // namespace deeper::backend::strassen::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace deeper::backend::strassen {

SumQuarters sum_quarters(Isa isa) {
  switch (isa) {
    case Isa::amx:
    case Isa::avx512:
      return N_AVX3::sum_all;
    case Isa::avx2:
      return N_AVX2::sum_all;
    case Isa::sse41:
      break;
  }
  return HWY_STATIC_DISPATCH(sum_all);
}

}  // namespace deeper::backend::strassen
#endif
