// What this machine is: instruction sets, caches, name.
#include "backend/target.h"

#include <fmt/format.h>
#include <hwy/targets.h>
#include <oneapi/dnnl/dnnl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

#include "ir/error.h"
#include "runtime/machine.h"

namespace deeper::backend {
namespace {

constexpr std::array<std::string_view, 4> kIsaNames = {"sse41", "avx2", "avx512", "amx"};

std::optional<Isa> parse_isa(std::string_view name) {
  const auto* found = std::ranges::find(kIsaNames, name);
  if (found == kIsaNames.end()) return std::nullopt;
  return static_cast<Isa>(found - kIsaNames.begin());
}

Isa best_isa() {
  for (const Isa isa : {Isa::amx, Isa::avx512, Isa::avx2, Isa::sse41}) {
    if (runtime::cpu_has(to_string(isa))) return isa;
  }
  throw ModelError("this CPU lacks SSE4.1, the least deeper runs on");
}

// The part behind the colon of the first line of /proc/cpuinfo that starts with `key`.
std::string cpu_info(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string_view name(line.data(), colon);
    name = name.substr(0, name.find_last_not_of("\t ") + 1);
    if (name == key) return colon + 2 <= line.size() ? line.substr(colon + 2) : "";
  }
  return "unknown";
}

std::string cpu_name() {
  return fmt::format("{}, family {}, model {}, stepping {}", cpu_info("model name"), cpu_info("cpu family"),
                     cpu_info("model"), cpu_info("stepping"));
}

std::int64_t cache_bytes(int level, std::int64_t otherwise) {
  const long bytes = sysconf(level);
  return bytes > 0 ? bytes : otherwise;
}

// Where oneDNN is in use already its setting is fixed: that is right only if it is no higher.
void cap_onednn(Isa isa) {
  const dnnl_cpu_isa_t wanted = isa == Isa::sse41 ? dnnl_cpu_isa_sse41 : dnnl_cpu_isa_avx2;
  if (dnnl_set_max_cpu_isa(wanted) == dnnl_success) return;
  if (dnnl_get_effective_cpu_isa() > wanted) {
    throw ModelError(fmt::format("instruction set '{}' must be asked for before oneDNN is first used", to_string(isa)));
  }
}

void cap_highway(Isa isa) {
  // Highway numbers better targets lower.
  const std::int64_t above_avx2 = HWY_AVX2 - 1;
  const std::int64_t above_sse4 = HWY_SSE4 - 1;
  hwy::DisableTargets(isa == Isa::sse41 ? above_sse4 : above_avx2);
}

}  // namespace

std::string_view to_string(Isa isa) { return kIsaNames.at(static_cast<std::size_t>(isa)); }

Target detect_target(int threads, std::string_view isa_cap) {
  const Isa best = best_isa();
  Target target;
  target.isa = best;
  target.threads = threads;
  target.machine = this_machine();
  target.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, target.l1_bytes);
  target.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, target.l2_bytes);
  target.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, target.l3_bytes);
  target.cpu = cpu_name();
  if (isa_cap.empty()) return target;
  const std::optional<Isa> cap = parse_isa(isa_cap);
  if (!cap) throw ModelError(fmt::format("unknown instruction set '{}' (sse41, avx2, avx512 or amx)", isa_cap));
  if (*cap > best) throw ModelError(fmt::format("this CPU has no {}; the best it has is {}", isa_cap, to_string(best)));
  target.isa = *cap;
  if (*cap < Isa::avx512 && *cap < best) {
    cap_onednn(*cap);
    cap_highway(*cap);
  }
  return target;
}

}  // namespace deeper::backend
