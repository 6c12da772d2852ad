#include "tools/machine_rates.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "benchmarks/fma_rate.h"

namespace deeper::tools {
namespace {

constexpr std::size_t kBytesPerThread = std::size_t{64} << 20U;

// The sum of what every thread gives, all at work at once.
double sum_over_threads(int count, const std::function<double(int)>& work) {
  std::vector<double> rates(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int i = 1; i < count; ++i) {
    threads.emplace_back([&, i] { rates[static_cast<std::size_t>(i)] = work(i); });
  }
  rates[0] = work(0);
  for (std::thread& thread : threads) thread.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double read_rate() {
  const std::vector<std::uint64_t> memory(kBytesPerThread / sizeof(std::uint64_t), 1);
  double best = 0;
  for (int run = 0; run < 4; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t sum = std::accumulate(memory.begin(), memory.end(), std::uint64_t{0});
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    if (sum == memory.size()) best = std::max(best, static_cast<double>(kBytesPerThread) / taken.count());
  }
  return best;
}

}  // namespace

MachineRates measure_machine(std::string_view isa, int threads) {
  const backend::Isa vectors = isa == "avx512" || isa == "amx" ? backend::Isa::avx512 : backend::Isa::avx2;
  MachineRates rates;
  rates.gflops = 2 * sum_over_threads(threads, [&](int) { return benchmarks::measure_fma_rate(vectors); });
  rates.gbytes_per_second = sum_over_threads(threads, [](int) { return read_rate(); });
  return rates;
}

}  // namespace deeper::tools
