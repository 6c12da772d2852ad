#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "runtime/plan.h"

// How a step becomes something that runs. The backend owns the table; the runtime only calls it.
namespace deeper::runtime {

// This thread's place in the team that runs a step.
struct Team {
  int index = 0;
  int count = 1;
};

// Addresses of one step: its operands in order, then the result, then the scratch (null where absent).
using Addresses = std::byte* const*;

// A step ready to run. `state` holds what prepare() made (JIT code, block sizes) and is shared by all sessions. Where
// running changes something besides memory at the addresses, bind() makes it, once per session.
struct Executable {
  // Team kernels: called by every thread of the team, which share the work by team.index; no barrier inside, and none
  // between steps that do not depend on each other.
  // Others: called by one thread with team.count telling how many the kernel may use itself (oneDNN).
  using Run = void (*)(const void* state, Addresses addresses, Team team) noexcept;
  Run run = nullptr;
  std::shared_ptr<const void> state{};
  // Null, or makes the state of one session, which holds on to `state` and which run() gets in its place.
  std::shared_ptr<const void> (*bind)(const std::shared_ptr<const void>& state) = nullptr;
  bool is_team_kernel = false;
};

// One row of the kernel table.
struct KernelRow {
  std::string_view name;
  // Makes the step runnable on this CPU. Throws ModelError where the step does not fit this CPU or library. The step
  // may come from a damaged file: that strided operands lie inside their memory has been checked, that shapes,
  // attributes and packed sizes fit each other is prepare's to check.
  Executable (*prepare)(const Step& step, int threads);
  bool pools = false;  // whether it looks at the step's pools; else the step has none
};
using KernelTable = std::span<const KernelRow>;

// Throws ModelError unless the shapes of the step's operands and result are those that ir::infer gives for its op.
void require_inferred(const Step& step);

}  // namespace deeper::runtime
