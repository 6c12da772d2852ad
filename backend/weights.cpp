#include "backend/weights.h"

#include <sys/mman.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace deeper::backend {
namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20U;

struct AlignedDelete {
  void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{kHugePage}); }
};

// On huge pages where the system offers them.
class OwnedWeights final : public runtime::Weights {
 public:
  explicit OwnedWeights(std::uint64_t size)
      : memory_(static_cast<std::byte*>(::operator new[](size, std::align_val_t{kHugePage}))), size_(size) {
    madvise(memory_.get(), size, MADV_HUGEPAGE);
  }
  std::span<const std::byte> bytes() const override { return {memory_.get(), size_}; }
  std::byte* data() { return memory_.get(); }

 private:
  std::unique_ptr<std::byte[], AlignedDelete> memory_;
  std::uint64_t size_;
};

}  // namespace

std::uint64_t WeightsBuilder::add(std::span<const std::byte> bytes) {
  const std::uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    const Piece& piece = pieces_[entry->second];
    if (std::ranges::equal(piece.bytes, bytes)) return piece.offset;
  }
  by_hash_.emplace(hash, pieces_.size());
  pieces_.push_back({.offset = size_, .bytes = {bytes.begin(), bytes.end()}});
  size_ += (bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
  return pieces_.back().offset;
}

std::shared_ptr<const runtime::Weights> WeightsBuilder::finish() {
  auto weights = std::make_shared<OwnedWeights>(size_);
  std::uint64_t end = 0;
  for (Piece& piece : pieces_) {
    std::memset(weights->data() + end, 0, piece.offset - end);
    std::memcpy(weights->data() + piece.offset, piece.bytes.data(), piece.bytes.size());
    end = piece.offset + piece.bytes.size();
    piece.bytes = {};
  }
  std::memset(weights->data() + end, 0, size_ - end);
  pieces_.clear();
  by_hash_.clear();
  size_ = 0;
  return weights;
}

}  // namespace deeper::backend
