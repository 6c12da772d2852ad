#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/isa.h"

namespace deeper::backend {

// What is compiled for.
struct Target {
  Isa isa = Isa::avx2;  // highest instruction set kernels may use
  int threads = 1;
  Machine machine = Machine::other;  // whose costs count
  std::int64_t l1_bytes = 32 << 10;
  std::int64_t l2_bytes = 512 << 10;
  std::int64_t l3_bytes = 16 << 20;
  std::string cpu;  // model name, family, model, stepping: key of tuning records
};

// This machine. `isa_cap` ("", "avx2", "avx512", "amx") lowers the instruction set, for oneDNN too (process-wide, once,
// before oneDNN is first used). Throws ModelError for an unknown cap or one the CPU lacks.
Target detect_target(int threads, std::string_view isa_cap);

}  // namespace deeper::backend
