#include "backend/target.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <oneapi/dnnl/dnnl.h>

#include "ir/error.h"
#include "runtime/machine.h"

namespace deeper::backend {
namespace {

TEST(Target, DescribesThisMachine) {
  const Target target = detect_target(3, "");
  EXPECT_EQ(target.threads, 3);
  EXPECT_TRUE(runtime::cpu_has(to_string(target.isa)));
  EXPECT_GT(target.l1_bytes, 0);
  EXPECT_GE(target.l2_bytes, target.l1_bytes);
  EXPECT_FALSE(target.cpu.empty());
  EXPECT_EQ(target.cpu, detect_target(1, "").cpu);
}

TEST(Target, RefusesCapsItDoesNotKnow) {
  EXPECT_THROW(detect_target(1, "avx"), ModelError);
  EXPECT_THROW(detect_target(1, "neon"), ModelError);
  for (const char* isa : {"avx512", "amx"}) {
    if (runtime::cpu_has(isa)) {
      EXPECT_EQ(to_string(detect_target(1, isa).isa), isa);
    } else {
      EXPECT_THROW(detect_target(1, isa), ModelError);
    }
  }
}

TEST(Target, CapsOneDnnAndOwnKernels) {
  if (!runtime::cpu_has("avx2")) GTEST_SKIP() << "needs AVX2";
  EXPECT_EQ(detect_target(1, "avx2").isa, Isa::avx2);
  EXPECT_LE(dnnl_get_effective_cpu_isa(), dnnl_cpu_isa_avx2);
  EXPECT_EQ(hwy::SupportedTargets() & (HWY_AVX2 - 1), 0);
  EXPECT_EQ(detect_target(1, "avx2").isa, Isa::avx2) << "a second time";
  EXPECT_THROW(detect_target(1, "sse41"), ModelError) << "oneDNN is in use";
}

}  // namespace
}  // namespace deeper::backend
