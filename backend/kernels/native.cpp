// The table of native kernels.
#include "backend/kernels/native.h"

#include "backend/kernels/native_common.h"

namespace deeper::backend {
namespace {

constexpr auto kRows = std::to_array<runtime::KernelRow>({
    {"native.copy", native::prepare_copy},
});

}  // namespace

std::span<const runtime::KernelRow> native_kernels() { return kRows; }

}  // namespace deeper::backend
