// Every way that every convolution kernel of this project offers for the family's layers, on one thread.
//   kernels [--isa avx2|avx512|amx] [--accuracy safe|fast] [Google Benchmark's flags]
// GFLOP/s count the padding-free multiply-adds of a direct convolution; of_peak relates them to the FMA rate measured
// just before. Weights are read from memory, as in a network: a run takes the next of many copies.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/kernels/conv_kernels.h"
#include "benchmarks/conv_layers.h"
#include "benchmarks/fma_rate.h"

namespace deeper::benchmarks {
namespace {

using backend::ConvCandidate;
using backend::ConvKernel;
using backend::ConvShape;

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<float[], Free>;

Buffer make_buffer(std::size_t count) {
  constexpr std::size_t kAlignment = 4096;
  const std::size_t bytes = (count * sizeof(float) + kAlignment) / kAlignment * kAlignment;
  Buffer buffer(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
  for (std::size_t i = 0; i < count; ++i) buffer[i] = static_cast<float>(i % 7) * 0.1F;
  return buffer;
}

runtime::Operand image(std::int64_t channels, const ir::Extent2& extent, const backend::ImageStrides& strides,
                       std::uint64_t offset) {
  return {.space = runtime::Space::arena,
          .offset = offset,
          .shape = {1, channels, extent[0], extent[1]},
          .strides = {strides.image, 1, strides.row, strides.pixel}};
}

runtime::Step make_step(const ConvShape& shape, const ConvCandidate& candidate) {
  runtime::Step step;
  step.op = shape.op;
  step.tuning = candidate.tuning;
  runtime::Operand weights{.space = runtime::Space::weights};
  weights.shape = {shape.out_channels, shape.group_inputs(), shape.kernel[0], shape.kernel[1]};
  weights.bytes = static_cast<std::uint64_t>(candidate.weights_bytes);
  const runtime::Operand bias{.space = runtime::Space::weights,
                              .bytes = sizeof(float) * static_cast<std::uint64_t>(shape.out_channels)};
  step.operands = {image(shape.in_channels, shape.input, shape.source, 1), weights, bias, {}};
  if (candidate.scratch_bytes > 0) {
    step.scratch = {.space = runtime::Space::arena, .bytes = static_cast<std::uint64_t>(candidate.scratch_bytes)};
  }
  step.result = image(shape.out_channels, shape.output, shape.result, 2);
  return step;
}

void run(benchmark::State& state, const ConvKernel& kernel, const ConvShape& shape, const ConvCandidate& candidate,
         double fma_rate) {
  constexpr std::size_t kColdBytes = std::size_t{64} << 20;
  const auto weights_bytes = static_cast<std::size_t>(candidate.weights_bytes);
  const std::size_t copies = kColdBytes / weights_bytes + 1;
  const std::size_t pitch = (weights_bytes / sizeof(float) + 15) / 16 * 16;
  const std::int64_t plain = shape.out_channels * shape.group_inputs() * shape.kernel[0] * shape.kernel[1];
  const Buffer unpacked = make_buffer(plain);
  const std::vector<float> packed =
      kernel.pack(shape, candidate.tuning, {unpacked.get(), static_cast<std::size_t>(plain)});
  const Buffer weights = make_buffer(copies * pitch);
  for (std::size_t i = 0; i < copies; ++i) std::copy(packed.begin(), packed.end(), weights.get() + i * pitch);
  const Buffer source = make_buffer(shape.batch * shape.source.image);
  const Buffer result = make_buffer(shape.batch * shape.result.image);
  const Buffer bias = make_buffer(shape.out_channels);
  const Buffer scratch = make_buffer(static_cast<std::size_t>(candidate.scratch_bytes) / sizeof(float) + 1);
  const runtime::Executable executable = kernel.prepare(make_step(shape, candidate), 1);
  const auto bytes = [](float* p) { return reinterpret_cast<std::byte*>(p); };
  std::size_t copy = 0;
  for (auto _ : state) {
    std::byte* const addresses[] = {bytes(source.get()), bytes(weights.get() + copy * pitch),
                                    bytes(bias.get()),   nullptr,
                                    bytes(result.get()), bytes(scratch.get())};
    executable.run(executable.state.get(), addresses, {});
    copy = (copy + 1) % copies;
  }
  const auto multiply_adds = static_cast<double>(backend::multiply_adds(shape));
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(2e-9 * multiply_adds, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(1e-9 * multiply_adds / fma_rate, Counter::kIsIterationInvariantRate);
  state.counters["estimate_us"] = candidate.estimate_ns * 1e-3;
}

void add_benchmarks(const backend::Target& target, backend::Accuracy accuracy) {
  const double fma_rate = measure_fma_rate(target.isa);
  benchmark::AddCustomContext("fma_gflops", fmt::format("{:.1f}", 2 * fma_rate));
  for (const ConvLayer& layer : conv_layers()) {
    for (const ConvKernel& kernel : backend::conv_kernels()) {
      for (const ConvCandidate& candidate : kernel.candidates(layer.shape, target, accuracy)) {
        const std::string name = fmt::format("{}/{}/{}", layer.name, kernel.name, candidate.implementation);
        benchmark::RegisterBenchmark(name.c_str(), [&kernel, &layer, candidate, fma_rate](benchmark::State& state) {
          run(state, kernel, layer.shape, candidate, fma_rate);
        })->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

// The value after `flag`, both taken out of the arguments; empty where it is not there.
std::string_view take_option(int& count, char** arguments, std::string_view flag) {
  for (int i = 1; i + 1 < count; ++i) {
    if (arguments[i] != flag) continue;
    const std::string_view value = arguments[i + 1];
    std::copy(arguments + i + 2, arguments + count, arguments + i);
    count -= 2;
    return value;
  }
  return {};
}

}  // namespace
}  // namespace deeper::benchmarks

int main(int count, char** arguments) {
  using namespace deeper;
  const std::string_view isa = benchmarks::take_option(count, arguments, "--isa");
  const std::string_view accuracy = benchmarks::take_option(count, arguments, "--accuracy");
  const backend::Target target = backend::detect_target(1, isa);
  benchmarks::add_benchmarks(target, accuracy == "fast" ? backend::Accuracy::fast : backend::Accuracy::safe);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
