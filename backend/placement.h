#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "backend/lowering.h"
#include "backend/memory_plan.h"

// Where the memory that steps use lies in the arena.
namespace deeper::backend {

class Placement {
 public:
  Placement(std::span<const Draft> drafts, const Storage& storage, std::span<const runtime::ImageLoop> loops,
            int threads);

  // An operand or result of a step.
  runtime::Operand resolved(const Ref& ref) const;
  // The scratch of a step; absent where it needs none.
  runtime::Operand scratch_of(std::size_t step, const Draft& draft) const;
  std::uint64_t bytes() const { return arena_.bytes; }
  std::uint64_t lower_bound() const { return arena_.lower_bound; }

 private:
  // A block of the arena.
  struct Home {
    const runtime::ImageLoop* loop = nullptr;  // where all steps that use it are in one, and each uses one image of it
    bool is_divided = false;                   // so that it need not hold the others
    std::optional<std::size_t> number;         // among the lifetimes
  };
  // What a member of the team takes for the images that it has to itself.
  struct Apart {
    std::vector<Lifetime> lifetimes;
    MemoryPlan plan;
    std::uint64_t bytes = 0;
    std::size_t number = 0;  // of that of all members, among the lifetimes of the arena
  };

  void find_homes(std::span<const Draft> drafts);
  void add(const Ref& ref, std::size_t step, const Lifetime& wave);
  void add_scratch(std::span<const Draft> drafts);
  void place();

  const Storage& storage_;
  std::span<const runtime::ImageLoop> loops_;
  std::uint64_t threads_;
  std::vector<Home> homes_;  // by block
  std::vector<Lifetime> lifetimes_;
  std::map<const runtime::ImageLoop*, Apart> apart_;
  std::optional<std::size_t> scratch_;  // among the lifetimes
  MemoryPlan arena_;
};

}  // namespace deeper::backend
