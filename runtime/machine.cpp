// Questions to the CPU and to oneDNN.
#include "runtime/machine.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace deeper::runtime {

namespace {

// Linux saves the tiles of those processes only that have asked it to.
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// gcc 12 knows no names for these in __builtin_cpu_supports.
bool has_amx() {
  constexpr unsigned kTiles = 1U << 24U | 1U << 25U;  // AMX-TILE and AMX-INT8, leaf 7, EDX
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (edx & kTiles) == kTiles && may_use_tiles();
}

}  // namespace

bool cpu_has(std::string_view isa) {
  __builtin_cpu_init();
  if (isa == "sse41") return __builtin_cpu_supports("sse4.1") != 0;
  const bool avx2 =
      __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && __builtin_cpu_supports("bmi2") != 0;
  if (isa == "avx2") return avx2;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                      __builtin_cpu_supports("avx512cd") != 0;
  if (isa == "avx512") return avx512;
  if (isa != "amx") return false;
  static const bool amx = avx512 && has_amx();  // virtual machines take long to say
  return amx;
}

int amd_family() {
  __builtin_cpu_init();
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__builtin_cpu_is("amd") == 0 || __get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return 0;
  constexpr unsigned kExtended = 15;  // where the base family is 15 the extended one counts, too
  const unsigned base = eax >> 8U & 15U;
  return static_cast<int>(base == kExtended ? base + (eax >> 20U & 255U) : base);
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace deeper::runtime
