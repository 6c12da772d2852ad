// The table of native kernels.
#include "backend/kernels/native.h"

#include "backend/kernels/native_common.h"

namespace deeper::backend {
namespace {

constexpr auto kRows = std::to_array<runtime::KernelRow>({
    {"native.copy", native::prepare_copy},
    {"native.matvec", native::prepare_matvec},
    {"native.pool", native::prepare_pool},
    {"native.reduce", native::prepare_reduce},
    {"native.lrn", native::prepare_lrn},
    {"native.softmax", native::prepare_softmax},
    {"native.unary", native::prepare_unary},
    {"native.binary", native::prepare_binary},
    {"native.pad", native::prepare_pad},
    {"native.resize", native::prepare_resize},
    {"native.gather", native::prepare_gather},
    {"native.where", native::prepare_where},
});

}  // namespace

std::span<const runtime::KernelRow> native_kernels() { return kRows; }

}  // namespace deeper::backend
