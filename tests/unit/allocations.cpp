// Stands before the C library's allocator, as glibc allows, and counts.
#include "tests/unit/allocations.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {
std::atomic<std::int64_t> count{0};
std::atomic<bool> counts{true};
}  // namespace

namespace deeper::test {
std::int64_t allocation_count() { return count; }
}  // namespace deeper::test

// Stands before oneDNN's own.
dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count_of_arguments,
                                     const dnnl_exec_arg_t* arguments) {
  static const auto execute =
      reinterpret_cast<decltype(&dnnl_primitive_execute)>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  counts = false;
  const dnnl_status_t status = execute(primitive, stream, count_of_arguments, arguments);
  counts = true;
  return status;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(std::size_t);                 // NOLINT
void* __libc_calloc(std::size_t, std::size_t);    // NOLINT
void* __libc_realloc(void*, std::size_t);         // NOLINT
void* __libc_memalign(std::size_t, std::size_t);  // NOLINT

void* malloc(std::size_t bytes) {
  count += counts ? 1 : 0;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t items, std::size_t bytes) {
  count += counts ? 1 : 0;
  return __libc_calloc(items, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  count += counts ? 1 : 0;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count += counts ? 1 : 0;
  return __libc_memalign(alignment, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  count += counts ? 1 : 0;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  count += counts ? 1 : 0;
  *memory = __libc_memalign(alignment, bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}
}
#endif
