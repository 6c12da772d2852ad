#pragma once

#include <cstdint>
#include <memory>

#include "backend/kernels/conv_shape.h"
#include "ir/ops.h"

// Max pools of images whose rows come a few at a time, for kernels that pool what they have just computed.
namespace deeper::backend::native {

struct PoolState;

// A pool of NHWC rows.
class RowPool {
 public:
  // Max pools without activation or dilations, none of whose windows lies in the padding alone.
  static bool applies(const ir::Pool& op);

  // x_row and x_pixel are the distances between the rows and pixels that join() gets, y's those of the result.
  RowPool(const ir::Pool& op, std::int64_t channels, const ir::Extent2& input, const ir::Extent2& output,
          std::int64_t x_row, std::int64_t x_pixel, const ImageStrides& y);

  // Rows of the input that rows of the result read.
  backend::Range rows_read(backend::Range results) const;

  // Joins rows `rows` of the input, the first of which is at `x`, to those of the rows `results` of the result that
  // read them; the first of the results is at `y`. The rows of the input must come in order.
  void join(const float* x, backend::Range rows, float* y, backend::Range results) const;

 private:
  std::shared_ptr<const PoolState> state_;
};

}  // namespace deeper::backend::native
