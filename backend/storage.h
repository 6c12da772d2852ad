#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "runtime/plan.h"

// Which memory every value lives in, before memory has addresses: in a block of its own, in a channel slice of a shared
// buffer, or in another value's block (a Reshape, Slice or Transpose that is a mere view; an elementwise result in the
// place of an operand that dies; a convolution's result in the place of its residual).
namespace deeper::backend {

struct Block {
  std::int64_t elements = 0;
  runtime::Space space = runtime::Space::arena;
  std::uint32_t port = 0;
};

struct Place {
  std::uint32_t block = 0;
  std::int64_t offset = 0;  // in elements
  ir::Shape strides;
};

struct Storage {
  std::vector<Block> blocks;                 // the graph's inputs first
  std::vector<std::optional<Place>> places;  // by value; none for constants
  std::vector<bool> views;                   // by value: its elements lie where its first operand has them
};

// A pure function of the graph.
Storage assign_storage(const ir::Graph& graph);

// True where both name the same elements of a value of this shape.
bool same_place(const ir::Shape& shape, const Place& a, const Place& b);

}  // namespace deeper::backend
