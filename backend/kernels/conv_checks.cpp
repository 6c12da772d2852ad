#include "backend/kernels/conv_checks.h"

#include <optional>

#include "backend/kernels/amx.h"
#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/amx_weights.h"
#include "backend/kernels/brgemm.h"
#include "backend/kernels/direct.h"
#include "backend/kernels/strassen.h"
#include "backend/kernels/winograd.h"
#include "backend/kernels/winograd_phases.h"
#include "ir/error.h"
#include "runtime/machine.h"

namespace deeper::backend {
namespace {

void require(bool condition, const char* what) {
  if (!condition) throw ModelError(what);
}

bool is_between(std::int64_t x, std::int64_t least, std::int64_t most) { return x >= least && x <= most; }

ConvShape checked_shape(const runtime::Step& step) {
  const std::optional<ConvShape> shape = conv_shape(step);
  require(shape.has_value(), "is no convolution of NHWC images");
  // Products of these extents are far from overflowing.
  require(is_between(shape->kernel[0], 1, 1 << 12) && is_between(shape->kernel[1], 1, 1 << 12) &&
              is_between(shape->in_channels, 1, 1 << 18) && is_between(shape->out_channels, 1, 1 << 18) &&
              is_between(shape->output[0], 1, 1 << 24) && is_between(shape->output[1], 1, 1 << 24),
          "a convolution is too large");
  return *shape;
}

// The numbers of a tuning; the first is the instruction set, which this CPU has.
std::span<const std::int64_t> checked_tuning(const runtime::Step& step, std::size_t count) {
  require(step.tuning.size() == count, "its tuning is of another kernel");
  require(is_between(step.tuning[0], 0, static_cast<std::int64_t>(Isa::amx)), "its instruction set is unknown");
  require(runtime::cpu_has(to_string(static_cast<Isa>(step.tuning[0]))), "this CPU lacks its instruction set");
  return step.tuning;
}

Target target_of(const runtime::Step& step) {
  Target target;
  target.isa = static_cast<Isa>(step.tuning[0]);
  return target;
}

void check_memory(const runtime::Step& step, const ConvShape& shape, std::int64_t weights, std::int64_t scratch) {
  const auto has = [](const runtime::Operand& operand, std::int64_t bytes) {
    return operand.space != runtime::Space::none && static_cast<std::int64_t>(operand.bytes) >= bytes;
  };
  require(has(step.operands[1], weights), "its weights are packed in another way");
  require(!shape.has_bias || has(step.operands[2], shape.out_channels * 4), "its bias is too short");
  constexpr std::uint64_t kAlignment = 64;
  require(scratch == 0 || has(step.scratch, scratch), "it has too little scratch memory");
  require(scratch == 0 || step.scratch.offset % kAlignment == 0, "its scratch memory is not aligned");
}

void check_axis(const winograd::AxisTiling& axis, std::int64_t kernel, std::int64_t output) {
  require(is_between(axis.main_count, 0, output) && is_between(axis.edge_count, 0, output), "its tiles are too many");
  const CookToom& main = kCookToom[axis.main_row];
  const CookToom& edge = kCookToom[axis.edge_row];
  require(main.taps == kernel && (axis.edge_count == 0 || edge.taps == kernel), "its tiles are for another window");
  require(axis.main_count * main.outputs + axis.edge_count * edge.outputs >= output, "its tiles leave pixels out");
}

}  // namespace

void check_amx(const runtime::Step& step, int threads) {
  const ConvShape shape = checked_shape(step);
  const std::span<const std::int64_t> numbers = checked_tuning(step, 4);
  require(is_between(numbers[1], amx::kMostLevels - 1, amx::kMostLevels) && is_between(numbers[2], 1, 1 << 24) &&
              numbers[2] % amx::kTileRows == 0 &&
              is_between(numbers[3], 1, amx::kMostSteps / std::max<std::int64_t>(1, amx::window(shape))),
          "its tuning makes no sense");
  const amx::Tuning tuning = amx::tuning_from(numbers);
  require(amx::applies(shape, target_of(step)), "the kernel does not apply");
  check_memory(step, shape, amx::weights_bytes(shape), amx::scratch_bytes(shape, tuning, threads));
}

void check_brgemm(const runtime::Step& step) {
  const ConvShape shape = checked_shape(step);
  const brgemm::Tuning tuning = brgemm::tuning_from(checked_tuning(step, 4));
  require(brgemm::applies(shape, target_of(step)), "the kernel does not apply");
  require(is_between(tuning.input_block, 1, shape.group_inputs()) && is_between(tuning.strip, 1, 1 << 16) &&
              is_between(tuning.l2_bytes, 1, std::int64_t{1} << 40),
          "its tuning makes no sense");
  check_memory(step, shape, brgemm::weights_bytes(shape, tuning), 0);
}

void check_direct(const runtime::Step& step, int threads) {
  const ConvShape shape = checked_shape(step);
  const direct::Tuning tuning = direct::tuning_from(checked_tuning(step, 2));
  require(direct::applies(shape, target_of(step)), "the kernel does not apply");
  require(is_between(tuning.pixels, 1, 1 << 24), "its tuning makes no sense");
  require(!step.result_pool, "it cannot pool its result");
  if (step.operand_pool) {
    require(direct::can_pool(shape, *step.operand_pool) && tuning.pixels % shape.output[1] == 0,
            "it cannot pool its operand");
  }
  check_memory(step, shape, direct::weights_bytes(shape),
               direct::scratch_bytes(shape, tuning, threads, step.operand_pool.has_value()));
}

void check_strassen(const runtime::Step& step, int threads) {
  const ConvShape shape = checked_shape(step);
  const strassen::Tuning tuning = strassen::tuning_from(checked_tuning(step, 3));
  require(strassen::applies(shape, target_of(step)), "the kernel does not apply");
  require(is_between(tuning.pixels, 1, 1 << 24) && is_between(tuning.parts, 1, 1 << 10), "its tuning makes no sense");
  check_memory(step, shape, strassen::weights_bytes(shape, tuning), strassen::scratch_bytes(shape, tuning, threads));
}

void check_winograd(const runtime::Step& step, int threads) {
  const ConvShape shape = checked_shape(step);
  const std::span<const std::int64_t> numbers = checked_tuning(step, 11);
  for (const std::size_t row : {3, 5, 7, 9}) {
    require(is_between(numbers[row], 0, kCookToomCount - 1), "its tiles are unknown");
  }
  const winograd::Tuning tuning = winograd::tuning_from(numbers);
  require(winograd::applies(shape, target_of(step)), "the kernel does not apply");
  require(is_between(tuning.tiles, 1, 1 << 16) && is_between(tuning.channels, 1, 1 << 18), "its tuning makes no sense");
  const ir::Extent2 kernel = winograd::without_stride(shape).kernel;
  check_axis(tuning.tiling.y, kernel[0], shape.output[0]);
  check_axis(tuning.tiling.x, kernel[1], shape.output[1]);
  require(!step.operand_pool, "it cannot pool its operand");
  if (step.result_pool) {
    require(winograd::can_pool(shape, *step.result_pool, tuning) && tuning.tiles % tuning.tiling.x.main_count == 0,
            "it cannot pool what it computes");
  }
  check_memory(step, shape, winograd::weights_bytes(shape, tuning),
               winograd::scratch_bytes(shape, tuning, threads, step.result_pool.has_value()));
}

}  // namespace deeper::backend
