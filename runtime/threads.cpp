// Teams on OpenMP's pool, and the barrier inside them.
#include "runtime/threads.h"

#include <immintrin.h>

namespace deeper::runtime {
namespace {

constexpr unsigned kFlushToZero = 0x8000;
constexpr unsigned kDenormalsAreZero = 0x0040;
constexpr int kSpins = 2000;

}  // namespace

void enter_kernels(ThreadSlot& slot, int cpu) noexcept {
  slot.control = _mm_getcsr();
  _mm_setcsr(slot.control | kFlushToZero | kDenormalsAreZero);
  slot.has_affinity = cpu >= 0 && sched_getaffinity(0, sizeof slot.affinity, &slot.affinity) == 0;
  if (!slot.has_affinity) return;
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  CPU_SET(static_cast<std::size_t>(cpu), &wanted);
  sched_setaffinity(0, sizeof wanted, &wanted);
}

void leave_kernels(const ThreadSlot& slot) noexcept {
  _mm_setcsr(slot.control);
  if (slot.has_affinity) sched_setaffinity(0, sizeof slot.affinity, &slot.affinity);
}

void Barrier::wait(int count) noexcept {
  if (count == 1) return;
  const unsigned generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == count - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    return;
  }
  for (int spin = 0; generation_.load(std::memory_order_acquire) == generation; ++spin) {
    if (spin < kSpins) {
      _mm_pause();
    } else {
      sched_yield();
    }
  }
}

// What ThreadSanitizer, which cannot see OpenMP's own synchronisation, sees of a region's beginning and end.
__attribute__((noinline)) void ThreadTeam::open() noexcept { begun_.fetch_add(1, std::memory_order_release); }
__attribute__((noinline)) void ThreadTeam::enter() noexcept { begun_.load(std::memory_order_acquire); }
__attribute__((noinline)) void ThreadTeam::leave() noexcept { ended_.fetch_add(1, std::memory_order_release); }
__attribute__((noinline)) void ThreadTeam::close() noexcept { ended_.load(std::memory_order_acquire); }

// Not instrumented: the compiler passes the region's variables in a struct on this thread's stack.
__attribute__((no_sanitize("thread"))) void ThreadTeam::run(int threads, void (*work)(void*, Team) noexcept,
                                                            void* state) noexcept {
  open();
#pragma omp parallel num_threads(threads)
  {
    enter();
    work(state, {omp_get_thread_num(), omp_get_num_threads()});
    leave();
  }
  close();
}

}  // namespace deeper::runtime
