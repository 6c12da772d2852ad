#include "backend/onednn/compat.h"

#include <utility>

namespace deeper::backend::onednn {
namespace {

using dnnl::memory;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

memory::dims begins(const Window& window) { return {window.pads[0], window.pads[1]}; }
memory::dims ends(const Window& window) { return {window.pads[2], window.pads[3]}; }
memory::dims pair(const ir::Extent2& extent) { return {extent[0], extent[1]}; }
memory::dims holes(const Window& window) { return {window.dilations[0] - 1, window.dilations[1] - 1}; }

// oneDNN answers an unsupported request by an exception or, where asked, an empty descriptor: here always the latter.
template <typename Make>
PrimitiveDesc attempt(Make make) {
  try {
    return make();
  } catch (const dnnl::error&) {
    return {};
  }
}

// Primitive::primitive_desc(engine, arguments..., attributes) in 3.x; by way of Primitive::desc(arguments...) in 2.x.
template <typename Primitive, typename... Arguments>
PrimitiveDesc make_training_aware(const dnnl::primitive_attr& attributes, Arguments&&... arguments) {
  return attempt([&]() -> PrimitiveDesc {
#if DNNL_VERSION_MAJOR >= 3
    return typename Primitive::primitive_desc(cpu_engine(), kInference, std::forward<Arguments>(arguments)...,
                                              attributes, true);
#else
    const typename Primitive::desc desc(kInference, std::forward<Arguments>(arguments)...);
    return typename Primitive::primitive_desc(desc, attributes, cpu_engine(), true);
#endif
  });
}

template <typename Primitive, typename... Arguments>
PrimitiveDesc make_plain(const dnnl::primitive_attr& attributes, Arguments&&... arguments) {
  return attempt([&]() -> PrimitiveDesc {
#if DNNL_VERSION_MAJOR >= 3
    return typename Primitive::primitive_desc(cpu_engine(), std::forward<Arguments>(arguments)..., attributes, true);
#else
    const typename Primitive::desc desc(std::forward<Arguments>(arguments)...);
    return typename Primitive::primitive_desc(desc, attributes, cpu_engine(), true);
#endif
  });
}

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

bool is_empty(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_ndims() == 0;
#else
  return desc.data.ndims == 0;
#endif
}

void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  post_ops.append_eltwise(algorithm, alpha, beta);
#else
  post_ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

PrimitiveDesc convolution(const Desc& source, const Desc& weights, const Desc& bias, const Desc& destination,
                          const Window& window, const dnnl::primitive_attr& attributes) {
  return make_training_aware<dnnl::convolution_forward>(attributes, dnnl::algorithm::convolution_direct, source,
                                                        weights, bias, destination, pair(window.strides), holes(window),
                                                        begins(window), ends(window));
}

PrimitiveDesc inner_product(const Desc& source, const Desc& weights, const Desc& bias, const Desc& destination,
                            const dnnl::primitive_attr& attributes) {
  return make_training_aware<dnnl::inner_product_forward>(attributes, source, weights, bias, destination);
}

PrimitiveDesc matmul(const Desc& source, const Desc& weights, const Desc& bias, const Desc& destination,
                     const dnnl::primitive_attr& attributes) {
  return make_plain<dnnl::matmul>(attributes, source, weights, bias, destination);
}

PrimitiveDesc eltwise(dnnl::algorithm algorithm, float alpha, float beta, const Desc& source, const Desc& destination,
                      const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return make_training_aware<dnnl::eltwise_forward>(attributes, algorithm, source, destination, alpha, beta);
#else
  if (!(source == destination)) return {};
  return make_training_aware<dnnl::eltwise_forward>(attributes, algorithm, source, alpha, beta);
#endif
}

PrimitiveDesc binary(dnnl::algorithm algorithm, const Desc& a, const Desc& b, const Desc& destination,
                     const dnnl::primitive_attr& attributes) {
  return make_plain<dnnl::binary>(attributes, algorithm, a, b, destination);
}

PrimitiveDesc prelu(const Desc& source, const Desc& slopes, const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return make_training_aware<dnnl::prelu_forward>(attributes, source, slopes, source);
#else
  return make_training_aware<dnnl::prelu_forward>(attributes, source, slopes);
#endif
}

}  // namespace deeper::backend::onednn
