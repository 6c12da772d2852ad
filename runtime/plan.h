#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

// What compile() gives and a Session runs: a flat list of steps over one arena and one block of weights. Immutable.
namespace deeper::runtime {

enum class Space : std::uint8_t { none, arena, weights, input, output };

// Where a step finds an operand: f32 elements of a logical shape (NCHW for images) at `strides` (in elements, one per
// logical axis; an image in NHWC has a channel stride of 1). Packed weights keep their logical shape and no strides.
struct Operand {
  Space space = Space::none;
  std::uint32_t port = 0;     // number of the input or output
  std::uint64_t offset = 0;   // bytes from the start of the arena or of the weights
  std::uint64_t bytes = 0;    // extent from offset
  std::uint64_t advance = 0;  // bytes to the same of the next image, see ImageLoop
  std::uint32_t images = 1;   // that there is room for: those beyond take the places of the first again
  ir::Shape shape{};
  ir::Shape strides{};
  std::string value{};  // name in the graph
};

// Kernels of a team divide the scratch evenly among its members.
struct Step {
  std::string kernel{};          // row of the kernel table: "onednn.conv", "winograd", "copy", ...
  std::string implementation{};  // what the kernel chose: oneDNN's impl_info_str, tile sizes
  ir::Op op{};                   // attributes
  // Pools that the step computes with op: of the first operand, and of what op gives.
  std::optional<ir::Pool> operand_pool{};
  std::optional<ir::Pool> result_pool{};
  std::vector<Operand> operands{};  // as ops.h lists them; absent ones have Space::none
  Operand result{};
  Operand scratch{};                   // in the arena, one block that all steps use in turn
  std::vector<std::int64_t> tuning{};  // kernel-specific choices, fixed at compile time
  std::string name{};
  std::vector<std::string> origins{};
  std::int64_t multiply_adds = 0;
};

// An input or output of the model.
struct Port {
  std::string name{};
  ir::Type type{};          // logical; data passes as dense row-major f32
  std::string onnx_type{};  // what the model declares: "float", "uint8", ...
};

// Read-only bytes, 64-byte aligned: owned memory or a mapped file.
class Weights {
 public:
  virtual ~Weights() = default;
  virtual std::span<const std::byte> bytes() const = 0;
};

// Steps [first, end) of a plan, which run for one image of the batch after the other, so that what they hand on stays
// in cache. Their operands are those of the first image.
struct ImageLoop {
  std::size_t first = 0;
  std::size_t end = 0;
  std::int64_t images = 1;
  // Each member of the team takes images of its own, those whose number is its index modulo the size of the team,
  // through all steps, which are compiled for one thread then.
  bool side_by_side = false;
};

struct Plan {
  std::string model{};  // name of the graph
  std::uint64_t model_hash = 0;
  std::string isa{};     // what its kernels need: "avx2", "avx512", "amx"
  std::string onednn{};  // version of the library its weights are packed for
  int threads = 1;       // team size it was compiled for
  std::vector<Port> inputs{};
  std::vector<Port> outputs{};
  std::vector<Step> steps{};
  std::vector<ImageLoop> loops{};  // in order, apart from each other
  std::uint64_t arena_bytes = 0;
  std::uint64_t arena_lower_bound = 0;  // largest sum of live tensors
  double compile_ms = 0;
  std::shared_ptr<const Weights> weights{};
};

// The loop that a step is in; null where it is in none.
const ImageLoop* loop_of(std::span<const ImageLoop> loops, std::size_t step);
// Its images; 1 where there is none.
std::int64_t images_of_step(const Plan& plan, std::size_t step);
// How many threads share the step's work.
int threads_of_step(const Plan& plan, std::size_t step);
// Where the operand lies for an image.
std::uint64_t offset_of(const Operand& operand, std::int64_t image);

}  // namespace deeper::runtime
