#include "tests/unit/lower_support.h"

namespace deeper::backend::test {
namespace {

TEST(LowerGraphs, ConvReluPoolGemm) {
  expect_right(R"(graph "tiny" {
    input %x: f32[1,3,20,20]
    const %w: f32[16,3,3,3] = seed(1)
    const %b: f32[16] = seed(2)
    const %f: f32[10,16] = seed(3)
    const %g: f32[10] = seed(4)
    %y: f32[1,16,10,10] = Conv(%x, %w, %b) {strides=[2,2], pads=[1,1,1,1], activation=relu}
    %p: f32[1,16,5,5] = Pool(%y) {kernel=[3,3], strides=[2,2], pads=[0,0,1,1]}
    %q: f32[1,16,1,1] = Pool(%p) {kind=average, kernel=[5,5]}
    %r: f32[1,16] = Reshape(%q) {shape=[1,16]}
    %z: f32[1,10] = MatMul(%r, %f, %g) {transpose_b=true}
    %s: f32[1,10] = Softmax(%z) {axis=1}
    output "prob" = %s
    output "features" = %p
  })");
}

}  // namespace
}  // namespace deeper::backend::test
