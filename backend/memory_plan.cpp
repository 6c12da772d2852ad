// Offsets by greedy best fit (as in "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and Lee
// 2020), tried in several orders; then the blocks that set the peak are placed earlier while that helps.
#include "backend/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "ir/error.h"

namespace deeper::backend {
namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr int kRepairRounds = 200;

using Order = std::vector<std::size_t>;  // numbers of the blocks

std::uint64_t rounded(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool live_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// Offset of the smallest gap between the `placed` blocks that live with `block` and holds it.
std::uint64_t best_fit(std::span<const Lifetime> lifetimes, const MemoryPlan& plan, const Order& placed,
                       const Lifetime& block) {
  const std::uint64_t bytes = rounded(block.bytes);
  std::uint64_t best = 0;
  std::uint64_t best_gap = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t end = 0;  // of what is placed so far, by offset
  for (const std::size_t other : placed) {
    if (!live_together(lifetimes[other], block)) continue;
    const std::uint64_t offset = plan.offsets[other];
    if (offset >= end + bytes && offset - end < best_gap) {
      best = end;
      best_gap = offset - end;
    }
    end = std::max(end, offset + rounded(lifetimes[other].bytes));
  }
  return best_gap == std::numeric_limits<std::uint64_t>::max() ? end : best;
}

MemoryPlan place(std::span<const Lifetime> lifetimes, const Order& order) {
  MemoryPlan plan;
  plan.offsets.resize(lifetimes.size());
  Order placed;  // sorted by offset
  for (const std::size_t block : order) {
    if (lifetimes[block].bytes == 0) continue;
    plan.offsets[block] = best_fit(lifetimes, plan, placed, lifetimes[block]);
    plan.bytes = std::max(plan.bytes, plan.offsets[block] + rounded(lifetimes[block].bytes));
    const auto where = std::ranges::upper_bound(placed, plan.offsets[block], {},
                                                [&plan](std::size_t other) { return plan.offsets[other]; });
    placed.insert(where, block);
  }
  return plan;
}

std::uint64_t largest_live_sum(std::span<const Lifetime> lifetimes, std::uint64_t (*size)(std::uint64_t)) {
  std::uint64_t largest = 0;
  for (const Lifetime& at : lifetimes) {  // the sum grows only where a block begins
    std::uint64_t sum = 0;
    for (const Lifetime& other : lifetimes) {
      if (other.first <= at.first && at.first <= other.last) sum += size(other.bytes);
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

// All blocks by decreasing `key`; equal ones by number.
template <typename Key>
Order sorted_by(std::span<const Lifetime> lifetimes, Key key) {
  Order order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return key(lifetimes[i]); });
  return order;
}

// Moves the blocks that reach the peak to the front and places again, while there is something to gain.
void repair(std::span<const Lifetime> lifetimes, Order order, std::uint64_t goal, MemoryPlan& best) {
  MemoryPlan current = best;
  for (int round = 0; round < kRepairRounds && best.bytes > goal; ++round) {
    const auto reaches_peak = [&](std::size_t i) {
      return current.offsets[i] + rounded(lifetimes[i].bytes) == current.bytes;
    };
    std::stable_partition(order.begin(), order.end(), reaches_peak);
    current = place(lifetimes, order);
    if (current.bytes < best.bytes) best = current;
  }
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes) {
  for (const Lifetime& block : lifetimes) DEEPER_CHECK(block.first <= block.last, "planning memory");
  const auto size = [](const Lifetime& block) { return static_cast<double>(block.bytes); };
  const auto duration = [](const Lifetime& block) { return static_cast<double>(block.last - block.first + 1); };
  const Order orders[] = {
      sorted_by(lifetimes, size),
      sorted_by(lifetimes, [&](const Lifetime& block) { return size(block) * duration(block); }),
      sorted_by(lifetimes, duration),
      sorted_by(lifetimes, [](const Lifetime& block) { return -static_cast<double>(block.first); }),
  };
  const std::uint64_t goal = largest_live_sum(lifetimes, rounded);
  MemoryPlan best;
  best.bytes = std::numeric_limits<std::uint64_t>::max();
  for (const Order& order : orders) {
    MemoryPlan candidate = place(lifetimes, order);
    repair(lifetimes, order, goal, candidate);
    if (candidate.bytes < best.bytes) best = std::move(candidate);
    if (best.bytes <= goal) break;
  }
  best.lower_bound = largest_live_sum(lifetimes, [](std::uint64_t bytes) { return bytes; });
  return best;
}

}  // namespace deeper::backend
