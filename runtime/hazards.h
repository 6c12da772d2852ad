#pragma once

#include <cstdint>
#include <vector>

#include "runtime/plan.h"

// Which steps may run without waiting for each other.
namespace deeper::runtime {

// Bytes of a memory: `width` of every `period` from `begin` on, up to `end`.
struct Region {
  std::uint64_t memory = 0;  // regions of different ones have nothing in common
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t period = 0;
  std::uint64_t width = 0;
};

// Those of an operand that lies at `offset`: all that it spans, or the channels of an image that has them adjacent.
Region region_of(const Operand& operand, std::uint64_t memory, std::uint64_t offset);
// False where they have no byte in common, as far as can be told.
bool may_overlap(const Region& a, const Region& b);

// What a step reads and writes, besides weights, and scratch that is each thread's own.
struct Accesses {
  std::vector<Region> reads;
  Region write;
};
// Of a step of a plan, for an image.
Accesses accesses_of(const Step& step, std::int64_t image);
// Whether the order of two steps matters.
bool depend(const Accesses& a, const Accesses& b);

}  // namespace deeper::runtime
