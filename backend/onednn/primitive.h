#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "backend/onednn/compat.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

// From a step to a oneDNN primitive. describe() depends on nothing but the step's op, shapes, strides and tuning, the
// thread count and the library, so that what compile() saw is what load gets.
namespace deeper::backend::onednn {

// Which address of the step becomes which oneDNN argument. `slot`: operands in order, then the result.
struct Argument {
  int id = 0;
  std::size_t slot = 0;
  Desc desc;
};

struct Description {
  PrimitiveDesc primitive;
  std::vector<Argument> arguments;  // without the scratchpad

  explicit operator bool() const { return static_cast<bool>(primitive); }
  std::string implementation() const;
  // A reference implementation is hundreds of times slower than any other.
  bool is_reference() const;
  std::uint64_t scratchpad_bytes() const;
  // What the argument in `slot` must look like.
  const Desc& desc(std::size_t slot) const;
};

// Sets OpenMP's thread count for its lifetime: oneDNN decides by it how a primitive divides its work.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

// Empty where the library has nothing for this step. Throws InternalError for a step that is none of oneDNN's.
Description describe(const runtime::Step& step, int threads);

// f32 elements at strides. `dims` may have another rank than the operand (a view).
Desc desc_of(const runtime::Operand& operand);
Desc desc_of(const ir::Shape& dims, const ir::Shape& strides);

// Dense elements of `from` in the order of `to` (padding zero).
std::vector<std::byte> reorder(std::span<const float> elements, const Desc& from, const Desc& to);

// Rows of oneDNN's kernels.
std::span<const runtime::KernelRow> rows();

}  // namespace deeper::backend::onednn
