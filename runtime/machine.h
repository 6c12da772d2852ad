#pragma once

#include <string>
#include <string_view>

// What this machine and its libraries offer.
namespace deeper::runtime {

// True where this CPU (and the operating system) runs instruction set `isa`: "sse41", "avx2" (with FMA), "avx512" (F,
// BW, DQ, VL, CD), "amx" (tiles and int8, those of AVX-512 included; asks the system to let this process use tiles).
// False for an unknown name.
bool cpu_has(std::string_view isa);

// The family of an AMD CPU, 0x17 to 0x19 for Zen to Zen 4; 0 of others.
int amd_family();

// Version of the oneDNN library in use: "2.6.3".
std::string onednn_version();

}  // namespace deeper::runtime
