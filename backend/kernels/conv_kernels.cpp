#include "backend/kernels/conv_kernels.h"

#include <fmt/format.h>

#include <optional>

#include "backend/kernels/amx.h"
#include "backend/kernels/brgemm.h"
#include "backend/kernels/conv_checks.h"
#include "backend/kernels/direct.h"
#include "backend/kernels/strassen.h"
#include "backend/kernels/winograd.h"

namespace deeper::backend {
namespace {

// For the kernels that have vectors only.
Target with_vectors(Target target) {
  target.isa = vectors_of(target.isa);
  return target;
}

std::vector<ConvCandidate> brgemm_candidates(const ConvShape& shape, const Target& given, Accuracy /*accuracy*/) {
  const Target target = with_vectors(given);
  if (!brgemm::applies(shape, target)) return {};
  const brgemm::Tuning tuning = brgemm::choose(shape, target);
  return {ConvCandidate{.implementation = fmt::format("k{} n{}", tuning.input_block, tuning.strip),
                        .tuning = brgemm::to_numbers(tuning),
                        .weights_bytes = brgemm::weights_bytes(shape, tuning),
                        .scratch_bytes = 0,
                        .estimate_ns = brgemm::estimate_ns(shape, target)}};
}

std::vector<float> brgemm_pack(const ConvShape& shape, std::span<const std::int64_t> tuning,
                               std::span<const float> weights) {
  return brgemm::pack_weights(shape, brgemm::tuning_from(tuning), weights);
}

std::vector<ConvCandidate> direct_candidates(const ConvShape& shape, const Target& given, Accuracy /*accuracy*/) {
  const Target target = with_vectors(given);
  if (!direct::applies(shape, target)) return {};
  const direct::Tuning tuning = direct::choose(shape, target);
  return {ConvCandidate{.implementation = direct::describe(tuning),
                        .tuning = direct::to_numbers(tuning),
                        .weights_bytes = direct::weights_bytes(shape),
                        .scratch_bytes = direct::scratch_bytes(shape, tuning, target.threads),
                        .estimate_ns = direct::estimate_ns(shape, target)}};
}

std::vector<float> direct_pack(const ConvShape& shape, std::span<const std::int64_t> tuning,
                               std::span<const float> weights) {
  return direct::pack_weights(shape, direct::tuning_from(tuning), weights);
}

std::optional<ConvCandidate> direct_pooled(const ConvShape& shape, const ir::Pool& pool, const ConvCandidate& candidate,
                                           const Target& target) {
  const std::optional<direct::Tuning> tuning = direct::pooled(shape, pool, direct::tuning_from(candidate.tuning));
  if (!tuning) return std::nullopt;
  ConvCandidate result = candidate;
  result.implementation = direct::describe(*tuning);
  result.tuning = direct::to_numbers(*tuning);
  result.scratch_bytes = direct::scratch_bytes(shape, *tuning, target.threads, true);
  return result;
}

std::vector<ConvCandidate> strassen_candidates(const ConvShape& shape, const Target& given, Accuracy /*accuracy*/) {
  const Target target = with_vectors(given);
  if (!strassen::applies(shape, target)) return {};
  std::vector<ConvCandidate> result;
  for (const strassen::Tuning& tuning : strassen::choose(shape, target)) {
    result.push_back({.implementation = strassen::describe(tuning),
                      .tuning = strassen::to_numbers(tuning),
                      .weights_bytes = strassen::weights_bytes(shape, tuning),
                      .scratch_bytes = strassen::scratch_bytes(shape, tuning, target.threads),
                      .estimate_ns = strassen::estimate_ns(shape, tuning, target)});
  }
  return result;
}

std::vector<float> strassen_pack(const ConvShape& shape, std::span<const std::int64_t> tuning,
                                 std::span<const float> weights) {
  return strassen::pack_weights(shape, strassen::tuning_from(tuning), weights);
}

std::vector<ConvCandidate> winograd_candidates(const ConvShape& shape, const Target& given, Accuracy accuracy) {
  const Target target = with_vectors(given);
  std::vector<ConvCandidate> result;
  for (const winograd::Tuning& tuning : winograd::choose(shape, target, accuracy)) {
    result.push_back({.implementation = winograd::describe(shape, tuning),
                      .tuning = winograd::to_numbers(tuning),
                      .weights_bytes = winograd::weights_bytes(shape, tuning),
                      .scratch_bytes = winograd::scratch_bytes(shape, tuning, target.threads),
                      .estimate_ns = winograd::estimate_ns(shape, tuning, target)});
  }
  return result;
}

std::vector<float> winograd_pack(const ConvShape& shape, std::span<const std::int64_t> tuning,
                                 std::span<const float> weights) {
  return winograd::pack_weights(shape, winograd::tuning_from(tuning), weights);
}

std::optional<ConvCandidate> winograd_pooled(const ConvShape& shape, const ir::Pool& pool,
                                             const ConvCandidate& candidate, const Target& target) {
  const std::optional<winograd::Tuning> tuning =
      winograd::pooled(shape, pool, winograd::tuning_from(candidate.tuning), target);
  if (!tuning) return std::nullopt;
  ConvCandidate result = candidate;
  result.implementation = winograd::describe(shape, *tuning);
  result.tuning = winograd::to_numbers(*tuning);
  result.scratch_bytes = winograd::scratch_bytes(shape, *tuning, target.threads, true);
  return result;
}

std::vector<ConvCandidate> amx_candidates(const ConvShape& shape, const Target& target, Accuracy accuracy) {
  if (!amx::applies(shape, target)) return {};
  const amx::Tuning tuning = amx::choose(shape, target, accuracy);
  return {ConvCandidate{.implementation = amx::describe(tuning),
                        .tuning = amx::to_numbers(tuning),
                        .weights_bytes = amx::weights_bytes(shape),
                        .scratch_bytes = amx::scratch_bytes(shape, tuning, target.threads),
                        .estimate_ns = amx::estimate_ns(shape, tuning, target)}};
}

std::vector<float> amx_pack(const ConvShape& shape, std::span<const std::int64_t> tuning,
                            std::span<const float> weights) {
  return amx::pack_weights(shape, amx::tuning_from(tuning), weights);
}

runtime::Executable prepare_amx(const runtime::Step& step, int threads) {
  check_amx(step, threads);
  return amx::prepare(step, threads);
}

runtime::Executable prepare_brgemm(const runtime::Step& step, int threads) {
  check_brgemm(step);
  return brgemm::prepare(step, threads);
}

runtime::Executable prepare_direct(const runtime::Step& step, int threads) {
  check_direct(step, threads);
  return direct::prepare(step, threads);
}

runtime::Executable prepare_strassen(const runtime::Step& step, int threads) {
  check_strassen(step, threads);
  return strassen::prepare(step, threads);
}

runtime::Executable prepare_winograd(const runtime::Step& step, int threads) {
  check_winograd(step, threads);
  return winograd::prepare(step, threads);
}

}  // namespace

std::span<const ConvKernel> conv_kernels() {
  static constexpr ConvKernel kKernels[] = {
      {.name = brgemm::kName,
       .grows_weights = false,
       .candidates = brgemm_candidates,
       .pack = brgemm_pack,
       .prepare = prepare_brgemm},
      {.name = direct::kName,
       .grows_weights = false,
       .candidates = direct_candidates,
       .pack = direct_pack,
       .prepare = prepare_direct,
       .operand_pooled = direct_pooled},
      {.name = strassen::kName,
       .grows_weights = true,
       .candidates = strassen_candidates,
       .pack = strassen_pack,
       .prepare = prepare_strassen},
      {.name = winograd::kName,
       .grows_weights = true,
       .candidates = winograd_candidates,
       .pack = winograd_pack,
       .prepare = prepare_winograd,
       .result_pooled = winograd_pooled},
      {.name = amx::kName,
       .grows_weights = true,
       .candidates = amx_candidates,
       .pack = amx_pack,
       .prepare = prepare_amx},
  };
  return kKernels;
}

}  // namespace deeper::backend
