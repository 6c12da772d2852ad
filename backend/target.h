#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace deeper::backend {

// Each includes those before it; avx2 includes FMA, amx the int8 tiles of AMX.
enum class Isa : std::uint8_t { sse41, avx2, avx512, amx };
std::string_view to_string(Isa isa);

// The widest vectors of `isa`: amx adds tiles to those of avx512.
constexpr Isa vectors_of(Isa isa) { return isa == Isa::amx ? Isa::avx512 : isa; }

// What is compiled for.
struct Target {
  Isa isa = Isa::avx2;  // highest instruction set kernels may use
  int threads = 1;
  std::int64_t l1_bytes = 32 << 10;
  std::int64_t l2_bytes = 512 << 10;
  std::int64_t l3_bytes = 16 << 20;
  std::string cpu;  // model name, family, model, stepping: key of tuning records
};

// This machine. `isa_cap` ("", "avx2", "avx512", "amx") lowers the instruction set, for oneDNN too (process-wide, once,
// before oneDNN is first used). Throws ModelError for an unknown cap or one the CPU lacks.
Target detect_target(int threads, std::string_view isa_cap);

}  // namespace deeper::backend
