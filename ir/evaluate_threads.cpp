#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "ir/evaluate_ops.h"

namespace deeper::ir::oracle {

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& work) {
  std::atomic<std::int64_t> next{0};
  const auto take = [&] {
    for (std::int64_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> others;
  for (std::int64_t i = 1; i < std::min<std::int64_t>(threads, count); ++i) others.emplace_back(take);
  take();
}

}  // namespace deeper::ir::oracle
