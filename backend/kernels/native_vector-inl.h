// Elementwise application of a vector function, for inclusion once per Highway target.
#include <hwy/highway.h>

#include <array>
#include <cstring>

#include "backend/kernels/native_common.h"

#if defined(DEEPER_NATIVE_VECTOR_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DEEPER_NATIVE_VECTOR_INL_H
#undef DEEPER_NATIVE_VECTOR_INL_H
#else
#define DEEPER_NATIVE_VECTOR_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace deeper::backend::native::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;
inline constexpr std::size_t kMaxLanes = 16;

// The first n < Lanes elements, zeros behind.
HWY_INLINE Vector load_some(const float* from, std::int64_t n) {
  alignas(64) std::array<float, kMaxLanes> buffer{};
  std::memcpy(buffer.data(), from, static_cast<std::size_t>(n) * sizeof(float));
  return hn::LoadU(Tag(), buffer.data());
}

HWY_INLINE void store_some(Vector value, float* to, std::int64_t n) {
  alignas(64) std::array<float, kMaxLanes> buffer;
  hn::StoreU(value, Tag(), buffer.data());
  std::memcpy(to, buffer.data(), static_cast<std::size_t>(n) * sizeof(float));
}

// out[i] = function(inputs[0][i], ...) for K contiguous inputs.
template <std::size_t K, typename Function>
HWY_INLINE void apply_contiguous(const Function& function, const std::array<const float*, K>& inputs, float* out,
                                 std::int64_t n) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if constexpr (K == 1) {
      hn::StoreU(function(hn::LoadU(d, inputs[0] + i)), d, out + i);
    } else if constexpr (K == 2) {
      hn::StoreU(function(hn::LoadU(d, inputs[0] + i), hn::LoadU(d, inputs[1] + i)), d, out + i);
    } else {
      hn::StoreU(function(hn::LoadU(d, inputs[0] + i), hn::LoadU(d, inputs[1] + i), hn::LoadU(d, inputs[2] + i)), d,
                 out + i);
    }
  }
  if (i == n) return;
  const std::int64_t rest = n - i;
  if constexpr (K == 1) {
    store_some(function(load_some(inputs[0] + i, rest)), out + i, rest);
  } else if constexpr (K == 2) {
    store_some(function(load_some(inputs[0] + i, rest), load_some(inputs[1] + i, rest)), out + i, rest);
  } else {
    store_some(function(load_some(inputs[0] + i, rest), load_some(inputs[1] + i, rest), load_some(inputs[2] + i, rest)),
               out + i, rest);
  }
}

inline constexpr std::int64_t kChunk = 256;

// One row of a nest whose strides are not all 1: by chunks through buffers.
template <std::size_t K, typename Function>
void apply_strided(const Function& function, const std::array<const float*, K>& inputs,
                   const std::array<std::int64_t, K>& strides, float* out, std::int64_t out_stride, std::int64_t n) {
  alignas(64) std::array<std::array<float, kChunk>, K> buffers;
  alignas(64) std::array<float, kChunk> result;
  for (std::size_t k = 0; k < K; ++k) {
    if (strides[k] == 0) std::fill_n(buffers[k].data(), n < kChunk ? n : kChunk, *inputs[k]);
  }
  for (std::int64_t begin = 0; begin < n; begin += kChunk) {
    const std::int64_t count = n - begin < kChunk ? n - begin : kChunk;
    std::array<const float*, K> chunk;
    for (std::size_t k = 0; k < K; ++k) {
      const float* from = inputs[k] + begin * strides[k];
      chunk[k] = strides[k] == 1 ? from : buffers[k].data();
      if (strides[k] == 0 || strides[k] == 1) continue;
      for (std::int64_t i = 0; i < count; ++i) buffers[k][static_cast<std::size_t>(i)] = from[i * strides[k]];
    }
    float* to = out + begin * out_stride;
    apply_contiguous<K>(function, chunk, out_stride == 1 ? to : result.data(), count);
    if (out_stride == 1) continue;
    for (std::int64_t i = 0; i < count; ++i) to[i * out_stride] = result[static_cast<std::size_t>(i)];
  }
}

// This thread's share of out = function(inputs...) over a nest of K inputs and the result.
template <std::size_t K, typename Function>
void apply(const Function& function, const Nest<K + 1>& nest, runtime::Addresses addresses, runtime::Team team) {
  std::array<std::int64_t, K> strides;
  bool contiguous = nest.inner_stride(K) == 1;
  for (std::size_t k = 0; k < K; ++k) {
    strides[k] = nest.inner_stride(k);
    contiguous = contiguous && strides[k] == 1;
  }
  float* out = output(addresses, K);
  walk(nest, share(nest.total, 1024, team), [&](const std::array<std::int64_t, K + 1>& offsets, std::int64_t n) {
    std::array<const float*, K> rows;
    for (std::size_t k = 0; k < K; ++k) rows[k] = input(addresses, k) + offsets[k];
    if (contiguous) {
      apply_contiguous<K>(function, rows, out + offsets[K], n);
    } else {
      apply_strided<K>(function, rows, strides, out + offsets[K], nest.inner_stride(K), n);
    }
  });
}

}  // namespace deeper::backend::native::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
