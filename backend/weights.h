#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "runtime/plan.h"

namespace deeper::backend {

// Collects read-only blocks, each 64-byte aligned; equal ones are kept once.
class WeightsBuilder {
 public:
  // Offset of the bytes in the finished block.
  std::uint64_t add(std::span<const std::byte> bytes);
  // Leaves the builder empty.
  std::shared_ptr<const runtime::Weights> finish();

 private:
  struct Piece {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
  };
  std::vector<Piece> pieces_;
  std::multimap<std::uint64_t, std::size_t> by_hash_;
  std::uint64_t size_ = 0;
};

}  // namespace deeper::backend
