#include "tests/unit/conv_case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>

namespace deeper::backend::testing {
namespace {

constexpr std::int64_t kBefore = 5;  // channels before and after a slice
constexpr std::int64_t kAfter = 3;
constexpr float kUntouched = -12345.0F;

ImageStrides strides_for(std::int64_t channels, const ir::Extent2& extent, bool slice) {
  const std::int64_t pixel = slice ? channels + kBefore + kAfter : channels;
  return {.image = pixel * extent[0] * extent[1], .row = pixel * extent[1], .pixel = pixel};
}

std::vector<float> normals(std::mt19937& random, std::int64_t count, float scale) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

std::int64_t first_channel(const ImageStrides& strides, std::int64_t channels) {
  return strides.pixel > channels ? kBefore : 0;
}

double activate(const ir::Activation& activation, double x) {
  switch (activation.function) {
    case ir::Function::relu:
      return std::max(x, 0.0);
    case ir::Function::leaky_relu:
      return x < 0 ? x * static_cast<double>(activation.alpha) : x;
    case ir::Function::clip:
      return std::clamp(x, static_cast<double>(activation.alpha), static_cast<double>(activation.beta));
    default:
      return x;
  }
}

double sum_of_products(const ConvCase& c, std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t m) {
  const ConvShape& s = c.shape;
  const std::int64_t inputs = s.group_inputs();
  const std::int64_t group = m / s.group_outputs();
  const float* source = c.source.data() + first_channel(s.source, s.in_channels) + n * s.source.image;
  double sum = 0;
  for (std::int64_t i = 0; i < s.kernel[0]; ++i) {
    const std::int64_t row = y * s.op.strides[0] - s.op.pads[0] + i * s.op.dilations[0];
    if (row < 0 || row >= s.input[0]) continue;
    for (std::int64_t j = 0; j < s.kernel[1]; ++j) {
      const std::int64_t column = x * s.op.strides[1] - s.op.pads[1] + j * s.op.dilations[1];
      if (column < 0 || column >= s.input[1]) continue;
      const float* pixel = source + row * s.source.row + column * s.source.pixel + group * inputs;
      const float* taps = c.weights.data() + m * inputs * s.kernel[0] * s.kernel[1] + i * s.kernel[1] + j;
      for (std::int64_t k = 0; k < inputs; ++k) {
        sum += static_cast<double>(pixel[k]) * static_cast<double>(taps[k * s.kernel[0] * s.kernel[1]]);
      }
    }
  }
  return sum;
}

template <typename F>
void for_each_result(const ConvShape& s, F f) {
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t y = 0; y < s.output[0]; ++y)
      for (std::int64_t x = 0; x < s.output[1]; ++x)
        for (std::int64_t m = 0; m < s.out_channels; ++m) f(n, y, x, m);
}

runtime::Operand image(std::int64_t batch, std::int64_t channels, const ir::Extent2& extent,
                       const ImageStrides& strides, std::uint64_t offset) {
  return {.space = runtime::Space::arena,
          .offset = offset,
          .shape = {batch, channels, extent[0], extent[1]},
          .strides = {strides.image, 1, strides.row, strides.pixel}};
}

runtime::Step make_step(const ConvKernel& kernel, const ConvCandidate& candidate, const ConvShape& s) {
  runtime::Step step;
  step.kernel = kernel.name;
  step.op = s.op;
  step.tuning = candidate.tuning;
  step.name = "case";
  runtime::Operand weights{.space = runtime::Space::weights};
  weights.shape = {s.out_channels, s.group_inputs(), s.kernel[0], s.kernel[1]};
  weights.bytes = static_cast<std::uint64_t>(candidate.weights_bytes);
  step.operands = {image(s.batch, s.in_channels, s.input, s.source, 1), weights, {}, {}};
  if (s.has_bias) {
    step.operands[2] = {.space = runtime::Space::weights,
                        .bytes = sizeof(float) * static_cast<std::uint64_t>(s.out_channels)};
  }
  if (candidate.scratch_bytes > 0) {
    step.scratch = {.space = runtime::Space::arena, .bytes = static_cast<std::uint64_t>(candidate.scratch_bytes)};
  }
  step.result = image(s.batch, s.out_channels, s.output, s.result, 2);
  if (s.has_residual) {
    step.operands[3] = image(s.batch, s.out_channels, s.output, s.residual, s.residual_in_place ? 2 : 3);
  }
  return step;
}

std::byte* bytes(const std::vector<float>& values) {
  return values.empty() ? nullptr : reinterpret_cast<std::byte*>(const_cast<float*>(values.data()));
}

// 64-byte aligned, filled with NaN so that reading what was not written shows.
std::vector<float> padded_scratch(std::int64_t size) {
  return std::vector<float>(static_cast<std::size_t>(size) / sizeof(float) + 16, std::nanf(""));
}

}  // namespace

const ConvKernel& kernel_named(std::string_view name) {
  for (const ConvKernel& kernel : conv_kernels()) {
    if (kernel.name == name) return kernel;
  }
  throw std::logic_error("no such kernel");
}

std::vector<Isa> vector_isas() {
  std::vector<Isa> result{Isa::avx2};
  if (__builtin_cpu_supports("avx512f") != 0) result.push_back(Isa::avx512);
  return result;
}

Target target_of(Isa isa, int threads) {
  Target target;
  target.isa = isa;
  target.threads = threads;
  return target;
}

std::int64_t pick(std::mt19937& random, std::initializer_list<std::int64_t> values) {
  return values.begin()[random() % values.size()];
}

ir::Activation random_activation(std::mt19937& random) {
  return std::array{ir::Activation{}, ir::Activation{.function = ir::Function::relu},
                    ir::Activation{.function = ir::Function::leaky_relu, .alpha = 0.1F},
                    ir::Activation{.function = ir::Function::clip, .alpha = -0.5F, .beta = 1.0F}}[random() % 4];
}

void add_random_epilogue(ConvShape& shape, std::mt19937& random) {
  shape.has_bias = random() % 2 == 0;
  shape.has_residual = random() % 3 == 0;
  shape.residual_in_place = shape.has_residual && random() % 2 == 0;
}

ConvCase make_case(ConvShape shape, const CaseOptions& options, std::mt19937& random) {
  shape.source = strides_for(shape.in_channels, shape.input, options.slices);
  shape.result = strides_for(shape.out_channels, shape.output, options.slices);
  shape.residual =
      shape.residual_in_place ? shape.result : strides_for(shape.out_channels, shape.output, options.slices);
  ConvCase c;
  c.shape = shape;
  const std::int64_t window = shape.kernel[0] * shape.kernel[1] * shape.group_inputs();
  c.source = normals(random, shape.batch * shape.source.image, 1);
  if (options.relu_inputs) {
    for (float& v : c.source) v = std::max(v, 0.0F);
  }
  c.weights = normals(random, shape.out_channels * window, std::sqrt(2.0F / static_cast<float>(window)));
  if (shape.has_bias) c.bias = normals(random, shape.out_channels, 1);
  c.result.assign(shape.batch * shape.result.image, kUntouched);
  if (shape.has_residual) {
    c.residual = normals(random, shape.batch * shape.residual.image, 1);
    if (shape.residual_in_place) c.result = c.residual;
  }
  return c;
}

std::vector<double> reference(const ConvCase& c) {
  const ConvShape& s = c.shape;
  std::vector<double> result;
  for_each_result(s, [&](std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t m) {
    double value = sum_of_products(c, n, y, x, m);
    if (s.has_bias) value += static_cast<double>(c.bias[m]);
    if (s.has_residual) {
      const std::int64_t at = n * s.residual.image + y * s.residual.row + x * s.residual.pixel + m;
      value += static_cast<double>(c.residual[at + first_channel(s.residual, s.out_channels)]);
    }
    result.push_back(activate(s.op.activation, value));
  });
  return result;
}

std::vector<float> run_kernel(const ConvKernel& kernel, const ConvCandidate& candidate, const ConvCase& c,
                              int threads) {
  const ConvShape& s = c.shape;
  const runtime::Step step = make_step(kernel, candidate, s);
  const runtime::Executable executable = kernel.prepare(step, threads);
  EXPECT_TRUE(executable.is_team_kernel);
  const std::vector<float> packed = kernel.pack(s, candidate.tuning, c.weights);
  EXPECT_EQ(static_cast<std::int64_t>(packed.size() * sizeof(float)), candidate.weights_bytes);
  std::vector<float> output = c.result;
  std::vector<float> scratch = padded_scratch(candidate.scratch_bytes);
  void* aligned = scratch.data();
  std::size_t space = scratch.size() * sizeof(float);
  std::align(64, static_cast<std::size_t>(candidate.scratch_bytes), aligned, space);
  const std::int64_t in = first_channel(s.source, s.in_channels);
  const std::int64_t out = first_channel(s.result, s.out_channels);
  const std::int64_t other = first_channel(s.residual, s.out_channels);
  constexpr std::int64_t kSize = sizeof(float);
  std::byte* result_address = bytes(output) + out * kSize;
  std::byte* residual_address = s.residual_in_place ? result_address : bytes(c.residual) + other * kSize;
  std::byte* const addresses[] = {bytes(c.source) + in * kSize,
                                  bytes(packed),
                                  bytes(c.bias),
                                  s.has_residual ? residual_address : nullptr,
                                  result_address,
                                  static_cast<std::byte*>(aligned)};
  std::vector<std::thread> team;
  for (int i = 0; i < threads; ++i) {
    team.emplace_back([&, i] { executable.run(executable.state.get(), addresses, {.index = i, .count = threads}); });
  }
  for (std::thread& member : team) member.join();
  std::vector<float> dense;
  for_each_result(s, [&](std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t m) {
    float& at = output[n * s.result.image + y * s.result.row + x * s.result.pixel + m + out];
    dense.push_back(at);
    at = c.result[&at - output.data()];
  });
  EXPECT_EQ(std::memcmp(output.data(), c.result.data(), output.size() * sizeof(float)), 0)
      << "wrote outside the result";
  return dense;
}

double relative_l2(const std::vector<float>& got, const std::vector<double>& want) {
  double squared = 0;
  double norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    squared += std::pow(static_cast<double>(got[i]) - want[i], 2);
    norm += want[i] * want[i];
  }
  return std::sqrt(squared / std::max(norm, 1e-30));
}

std::string describe(const ConvShape& s) {
  return fmt::format("{}x{}x{}x{} -> {} k{}x{} s{}x{} d{}x{} p{},{},{},{} g{} bias{} res{}{} act{}", s.batch,
                     s.in_channels, s.input[0], s.input[1], s.out_channels, s.kernel[0], s.kernel[1], s.op.strides[0],
                     s.op.strides[1], s.op.dilations[0], s.op.dilations[1], s.op.pads[0], s.op.pads[1], s.op.pads[2],
                     s.op.pads[3], s.op.groups, s.has_bias, s.has_residual, s.residual_in_place,
                     static_cast<int>(s.op.activation.function));
}

void expect_right(std::string_view kernel, const ConvShape& shape, bool slices, std::mt19937& random, int threads,
                  std::int64_t l2_bytes) {
  constexpr double kMost = 2e-6;
  const ConvCase c = make_case(shape, {.slices = slices}, random);
  const std::vector<double> want = reference(c);
  for (const Isa isa : vector_isas()) {
    Target target = target_of(isa, threads);
    target.l2_bytes = l2_bytes;
    for (const ConvCandidate& candidate : kernel_named(kernel).candidates(c.shape, target, Accuracy::safe)) {
      const std::vector<float> got = run_kernel(kernel_named(kernel), candidate, c, threads);
      EXPECT_LT(relative_l2(got, want), kMost)
          << describe(c.shape) << " slices " << slices << " threads " << threads << " isa " << static_cast<int>(isa);
    }
  }
}

}  // namespace deeper::backend::testing
