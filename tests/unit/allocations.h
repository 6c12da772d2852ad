#pragma once

#include <cstdint>

namespace deeper::test {

// How often this process has asked for memory so far (malloc, calloc, realloc and those that align; operator new uses
// malloc). What oneDNN asks for inside dnnl_primitive_execute is left out: its interface offers no way around that.
// Always 0 under a sanitizer, which has an allocator of its own.
std::int64_t allocation_count();

}  // namespace deeper::test
