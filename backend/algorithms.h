#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "backend/compile.h"
#include "backend/lowering.h"
#include "backend/target.h"
#include "ir/ops.h"

// How convolutions can be computed: THE table, in order of preference, oneDNN last. A new algorithm is one row here.
namespace deeper::backend {

// A convolution as an algorithm sees it: all in NHWC, both images possibly channel slices of wider ones.
struct ConvProblem {
  std::int64_t batch = 1;
  std::int64_t in_channels = 0;
  std::int64_t in_height = 0;
  std::int64_t in_width = 0;
  std::int64_t in_pixel_stride = 0;  // in elements; in_channels where the input is dense
  std::int64_t out_channels = 0;
  std::int64_t out_height = 0;
  std::int64_t out_width = 0;
  std::int64_t out_pixel_stride = 0;
  ir::Extent2 kernel{1, 1};
  ir::Conv op;  // strides, dilations, pads, groups, activation
  bool has_bias = false;
  bool has_residual = false;
  bool residual_in_place = false;  // the result lies where the residual does
  bool constant_weights = true;    // else they come with the input, in row-major order

  bool is_pointwise() const;  // 1x1, strides 1, no padding, one group
  bool reads_slice() const { return in_pixel_stride != in_channels; }
  bool writes_slice() const { return out_pixel_stride != out_channels; }
  bool operator==(const ConvProblem&) const = default;
};

ConvProblem conv_problem(Lowering& lowering, const ir::Node& node);

struct ConvAlgorithm {
  std::string_view name;
  // A pure function: whether lower() can compute this one here, and would want to.
  bool (*applies)(const ConvProblem& problem, const Target& target);
  // Emits the steps. Operands: x (any pixel stride), weights, [bias], [residual]; see Lowering.
  void (*lower)(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);
  bool is_onednn = false;  // allowed under --kernels onednn
};

std::span<const ConvAlgorithm> conv_algorithms();

// The first row that applies, or `options.force` where that one applies. `record` is the name a tuning record gives
// (empty: none); it wins where it applies and is allowed.
const ConvAlgorithm& choose_algorithm(const ConvProblem& problem, const Target& target, const CompileOptions& options,
                                      std::string_view record);

// --- the rows' functions ---
void lower_conv_onednn(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);
void lower_conv_as_matmul(Lowering& lowering, const ir::Node& node, const ConvProblem& problem);

}  // namespace deeper::backend
