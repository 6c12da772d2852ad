#pragma once

#include <string_view>

namespace deeper::tools {

// What this machine can do at most, now, on a number of threads; measured in a few tens of milliseconds.
struct MachineRates {
  double gflops = 0;             // fp32 fused multiply-adds from registers, two operations each
  double gbytes_per_second = 0;  // reading memory that is in no cache
};

// `isa` as a plan names it ("avx2", "avx512", "amx").
MachineRates measure_machine(std::string_view isa, int threads);

}  // namespace deeper::tools
