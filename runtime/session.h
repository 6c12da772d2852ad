#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace deeper::runtime {

// A plan with its steps made runnable on this CPU; many sessions share one.
class Program {
 public:
  // Throws ModelError where a step does not fit this CPU.
  Program(Plan plan, KernelTable kernels);
  const Plan& plan() const;

 private:
  friend class Session;
  struct State;
  std::shared_ptr<const State> state_;
};

enum class Status : std::uint8_t { ok, wrong_input, wrong_output };

struct SessionOptions {
  bool pin_threads = false;  // thread k of the team on the k-th CPU this process may use
  // Used instead of memory of its own where not empty: at least Plan::arena_bytes, 64-byte aligned, and to outlive the
  // session. Sessions that share it must not run at once.
  std::span<std::byte> memory{};
};

// Runs a program. Cheap to create; safe to use from one thread at a time.
class Session {
 public:
  Session(const Program& program, const SessionOptions& options);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // inputs[i] and outputs[i] are dense row-major f32 of exactly the size of port i. Allocates nothing, takes no lock.
  Status run(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs) noexcept;

  // The same, writing the nanoseconds every step took to `step_ns` (one per step).
  Status run_profiled(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs,
                      std::span<std::int64_t> step_ns) noexcept;

  // Runs steps [0, count) and leaves the last one's result where it lies: see tools' check. Where that step is in a
  // loop of images, whose results may lie in one place, the loop runs for `image` alone.
  Status run_steps(std::span<const std::span<const float>> inputs, std::span<const std::span<float>> outputs,
                   std::size_t count, std::int64_t image = 0) noexcept;
  // The result of a step for an image as it lies in memory now (null for a result that is a model output).
  const float* address_of(const Operand& operand, std::int64_t image = 0) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deeper::runtime
