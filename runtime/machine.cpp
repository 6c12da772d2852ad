// Questions to the CPU and to oneDNN.
#include "runtime/machine.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.h>

namespace deeper::runtime {

bool cpu_has(std::string_view isa) {
  __builtin_cpu_init();
  if (isa == "sse41") return __builtin_cpu_supports("sse4.1") != 0;
  const bool avx2 =
      __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && __builtin_cpu_supports("bmi2") != 0;
  if (isa == "avx2") return avx2;
  if (isa == "avx512") {
    return avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("avx512cd") != 0;
  }
  return false;
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace deeper::runtime
