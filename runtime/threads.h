#pragma once

#include <omp.h>
#include <sched.h>

#include <atomic>

#include "runtime/kernel.h"

// The one pool of threads: OpenMP's, which oneDNN uses too.
namespace deeper::runtime {

// How many threads OpenMP regions that this thread opens (oneDNN's) have, while this lives.
class OpenMpThreads {
 public:
  explicit OpenMpThreads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~OpenMpThreads() { omp_set_num_threads(before_); }
  OpenMpThreads(const OpenMpThreads&) = delete;
  OpenMpThreads& operator=(const OpenMpThreads&) = delete;

 private:
  int before_;
};

// What a thread had before it ran kernels.
struct alignas(64) ThreadSlot {
  unsigned control = 0;
  bool has_affinity = false;
  cpu_set_t affinity{};
};

// Sets flush-to-zero and denormals-are-zero for the calling thread and, where `cpu` is one, pins it there.
void enter_kernels(ThreadSlot& slot, int cpu) noexcept;
// Gives the thread back what it had.
void leave_kernels(const ThreadSlot& slot) noexcept;

// A barrier for the threads of one team. Spins, then yields, so that it costs about a microsecond on CPUs of its own
// and does not stall where there are more threads than CPUs.
class Barrier {
 public:
  // What a thread wrote before it is seen by every thread behind it. `count` is the same for all of them.
  void wait(int count) noexcept;

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> generation_{0};
};

// Runs functions on a team. Everything that crosses threads does so through the atomics here, besides OpenMP's own
// synchronisation, which ThreadSanitizer cannot see.
class ThreadTeam {
 public:
  // Calls work(state, team) on up to `threads` threads at once and returns when all are through.
  void run(int threads, void (*work)(void* state, Team team) noexcept, void* state) noexcept;
  Barrier& barrier() { return barrier_; }

 private:
  void open() noexcept;
  void enter() noexcept;
  void leave() noexcept;
  void close() noexcept;

  alignas(64) std::atomic<unsigned> begun_{0};
  alignas(64) std::atomic<unsigned> ended_{0};
  Barrier barrier_;
};

}  // namespace deeper::runtime
