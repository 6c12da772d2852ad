#pragma once

#include <cstdint>
#include <string_view>

namespace deeper::backend {

// Each includes those before it; avx2 includes FMA, amx the int8 tiles of AMX.
enum class Isa : std::uint8_t { sse41, avx2, avx512, amx };
std::string_view to_string(Isa isa);

// The widest vectors of `isa`: amx adds tiles to those of avx512.
constexpr Isa vectors_of(Isa isa) { return isa == Isa::amx ? Isa::avx512 : isa; }

// Kinds of cores whose speeds are known: see costs.h. zen: AMD Zen 2 to 4, whose AVX-512 is two halves.
enum class Machine : std::uint8_t { other, zen };
Machine this_machine();

}  // namespace deeper::backend
