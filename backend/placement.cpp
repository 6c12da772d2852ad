#include "backend/placement.h"

#include <algorithm>

#include "runtime/hazards.h"

namespace deeper::backend {
namespace {

constexpr std::uint64_t kPage = 4096;

runtime::Accesses accesses_of(const Draft& draft) {
  const auto region = [](const Ref& ref) { return region_of(ref.operand, *ref.block, ref.operand.offset); };
  runtime::Accesses accesses{.reads = {}, .write = region(draft.result)};
  for (const Ref& operand : draft.operands) {
    if (operand.block) accesses.reads.push_back(region(operand));
  }
  return accesses;
}

// By step, the steps around it, none of which needs what another one makes: no barrier parts them if they overwrite
// nothing of each other's either.
std::vector<Lifetime> waves_of(std::span<const Draft> drafts, std::span<const runtime::ImageLoop> loops, int threads) {
  std::vector<Lifetime> waves;
  std::vector<runtime::Accesses> wave;
  for (std::size_t k = 0; k < drafts.size(); ++k) {
    runtime::Accesses accesses = accesses_of(drafts[k]);
    const bool goes_on =
        threads > 1 && k > 0 && loop_of(loops, k) == loop_of(loops, k - 1) &&
        std::ranges::none_of(wave, [&](const runtime::Accesses& other) { return depend(other, accesses); });
    if (!goes_on) wave.clear();
    wave.push_back(std::move(accesses));
    const auto last = static_cast<std::int64_t>(k);
    waves.push_back({.bytes = 0, .first = last + 1 - static_cast<std::int64_t>(wave.size()), .last = last});
    for (std::size_t i = k + 1 - wave.size(); i < k; ++i) waves[i].last = last;
  }
  return waves;
}

Lifetime lifetime_of(const runtime::ImageLoop& loop) {
  return {.bytes = 0, .first = static_cast<std::int64_t>(loop.first), .last = static_cast<std::int64_t>(loop.end) - 1};
}

// Whether each member of the team has memory of its own for the images of a loop (null: there is none).
bool is_apart(const runtime::ImageLoop* loop) { return loop != nullptr && loop->side_by_side; }

std::uint64_t bytes_of(const Block& block) { return static_cast<std::uint64_t>(block.elements) * sizeof(float); }

}  // namespace

Placement::Placement(std::span<const Draft> drafts, const Storage& storage, std::span<const runtime::ImageLoop> loops,
                     int threads)
    : storage_(storage), loops_(loops), threads_(static_cast<std::uint64_t>(threads)), homes_(storage.blocks.size()) {
  find_homes(drafts);
  const std::vector<Lifetime> waves = waves_of(drafts, loops, threads);
  for (std::size_t k = 0; k < drafts.size(); ++k) {
    for (const Ref& operand : drafts[k].operands) add(operand, k, waves[k]);
    add(drafts[k].result, k, waves[k]);
  }
  add_scratch(drafts);
  place();
}

void Placement::find_homes(std::span<const Draft> drafts) {
  std::vector<bool> is_used(homes_.size());
  const auto use = [&](const Ref& ref, const runtime::ImageLoop* loop) {
    if (!ref.block) return;
    Home& home = homes_[*ref.block];
    const std::uint64_t images = ref.operand.images;
    const bool is_divided = images > 1 && bytes_of(storage_.blocks[*ref.block]) == ref.operand.advance * images;
    const bool is_one = is_divided || (images == 1 && is_apart(loop));
    if (!is_used[*ref.block]) home = {.loop = loop, .is_divided = is_divided, .number = {}};
    if (home.loop != loop || !is_one) home.loop = nullptr;
    is_used[*ref.block] = true;
  };
  for (std::size_t k = 0; k < drafts.size(); ++k) {
    const runtime::ImageLoop* const loop = loop_of(loops_, k);
    for (const Ref& operand : drafts[k].operands) use(operand, loop);
    use(drafts[k].result, loop);
  }
}

void Placement::add(const Ref& ref, std::size_t step, const Lifetime& wave) {
  if (!ref.block || storage_.blocks[*ref.block].space != runtime::Space::arena) return;
  Home& home = homes_[*ref.block];
  const auto position = static_cast<std::int64_t>(step);
  const runtime::ImageLoop* const loop = loop_of(loops_, step);
  Lifetime used = wave;
  if (is_apart(home.loop)) {
    used = {.bytes = 0, .first = position, .last = position};
  } else if (home.loop == nullptr && loop != nullptr && (loop->side_by_side || ref.operand.images > 1)) {
    used = lifetime_of(*loop);  // while any image passes
  }
  std::vector<Lifetime>& lifetimes = is_apart(home.loop) ? apart_[home.loop].lifetimes : lifetimes_;
  if (!home.number) {
    home.number = lifetimes.size();
    used.bytes = bytes_of(storage_.blocks[*ref.block]);
    if (home.loop != nullptr && home.is_divided) used.bytes /= static_cast<std::uint64_t>(home.loop->images);
    lifetimes.push_back(used);
  }
  Lifetime& lifetime = lifetimes[*home.number];
  lifetime.first = std::min(lifetime.first, used.first);
  lifetime.last = std::max(lifetime.last, used.last);
}

// One block for all steps, so that a thread always writes to the same part of it, which then stays in that thread's own
// cache.
void Placement::add_scratch(std::span<const Draft> drafts) {
  std::uint64_t pages = 0;  // of a thread
  for (std::size_t k = 0; k < drafts.size(); ++k) {
    const runtime::ImageLoop* const loop = loop_of(loops_, k);
    const std::uint64_t unit = is_apart(loop) ? kPage : kPage * threads_;
    pages = std::max(pages, (drafts[k].scratch_bytes + unit - 1) / unit);
  }
  if (pages == 0) return;
  scratch_ = lifetimes_.size();
  lifetimes_.push_back(
      {.bytes = pages * kPage * threads_, .first = 0, .last = static_cast<std::int64_t>(drafts.size()) - 1});
}

void Placement::place() {
  for (auto& [loop, apart] : apart_) {
    apart.plan = plan_memory(apart.lifetimes);
    apart.bytes = (apart.plan.bytes + kPage - 1) / kPage * kPage;
    apart.number = lifetimes_.size();
    lifetimes_.push_back(lifetime_of(*loop));
    lifetimes_.back().bytes = apart.bytes * threads_;
  }
  arena_ = plan_memory(lifetimes_);
}

runtime::Operand Placement::resolved(const Ref& ref) const {
  runtime::Operand operand = ref.operand;
  if (!ref.block) return operand;
  const Block& block = storage_.blocks[*ref.block];
  operand.space = block.space;
  operand.port = block.port;
  if (block.space != runtime::Space::arena) return operand;
  const Home& home = homes_[*ref.block];
  if (!is_apart(home.loop)) {
    operand.offset += arena_.offsets[*home.number];
    if (home.loop != nullptr) operand.images = 1;
    return operand;
  }
  const Apart& apart = apart_.at(home.loop);
  operand.offset += arena_.offsets[apart.number] + apart.plan.offsets[*home.number];
  operand.advance = apart.bytes;
  operand.images = static_cast<std::uint32_t>(threads_);
  return operand;
}

runtime::Operand Placement::scratch_of(std::size_t step, const Draft& draft) const {
  runtime::Operand scratch;
  if (draft.scratch_bytes == 0) return scratch;
  scratch.space = runtime::Space::arena;
  scratch.offset = arena_.offsets[*scratch_];
  scratch.bytes = lifetimes_[*scratch_].bytes;
  const runtime::ImageLoop* const loop = loop_of(loops_, step);
  if (!is_apart(loop)) return scratch;
  scratch.bytes /= threads_;
  scratch.advance = scratch.bytes;
  scratch.images = static_cast<std::uint32_t>(threads_);
  return scratch;
}

}  // namespace deeper::backend
