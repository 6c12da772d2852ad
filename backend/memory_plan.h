#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace deeper::backend {

// A block of memory that must exist from step `first` to step `last`, both included.
struct Lifetime {
  std::uint64_t bytes = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

struct MemoryPlan {
  std::vector<std::uint64_t> offsets;  // one per lifetime, 64-byte aligned
  std::uint64_t bytes = 0;             // peak
  std::uint64_t lower_bound = 0;       // largest sum of blocks that live at one step
};

// Offsets such that blocks which live at the same time do not overlap. Pure: equal input, equal result.
MemoryPlan plan_memory(std::span<const Lifetime> lifetimes);

}  // namespace deeper::backend
