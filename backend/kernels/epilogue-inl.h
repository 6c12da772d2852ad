// The activation of an epilogue on vectors, for inclusion once per Highway target.
#include <hwy/highway.h>

#include "backend/kernels/epilogue.h"

#if defined(DEEPER_EPILOGUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DEEPER_EPILOGUE_INL_H
#undef DEEPER_EPILOGUE_INL_H
#else
#define DEEPER_EPILOGUE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename D>
HWY_INLINE hn::Vec<D> bent(D d, hn::Vec<D> value, const Epilogue& epilogue) {
  const auto scaled = hn::Mul(value, hn::Set(d, epilogue.slope));
  return hn::IfThenElse(hn::Lt(value, hn::Zero(d)), scaled, value);
}

template <typename D>
HWY_INLINE hn::Vec<D> clamped(D d, hn::Vec<D> value, const Epilogue& epilogue) {
  return hn::Min(hn::Set(d, epilogue.high), hn::Max(hn::Set(d, epilogue.low), value));
}

template <typename D>
HWY_INLINE hn::Vec<D> activated(D d, hn::Vec<D> value, const Epilogue& epilogue) {
  if (epilogue.slope != 1) value = bent(d, value, epilogue);
  return clamped(d, value, epilogue);
}

}  // namespace deeper::backend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
