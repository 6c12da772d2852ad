#pragma once

#include "ir/graph.h"

namespace deeper::ir {

enum class Form : std::uint8_t { imported, optimized };

// Throws InternalError naming the number of the invariant and the node or value that breaks it.
//
//  1. Every operand is a graph input, a constant or the result of a node earlier in the order.
//  2. Every value has one producer, and producer and node name each other.
//  3. Names of values are unique and not empty.
//  4. Every result has the type that infer gives for its node.
//  5. There is an output; every output exists; output names are unique.
//  6. Constants have the type their tensor has.
//  7. A slot lies inside its buffer; values of one buffer are f32 of rank 4 and agree in N, H and W.
//  8. Slots that overlap while both are live hold the same elements: each is a channel Slice or Concat of the other, or
//     a piece of the same one.
// optimized, also:
//  9. Every node is needed by an output.
// 10. No Identity is left, and no node whose operands are all constants, unless it or one of them has more than
// kFoldCap
//     elements.
void verify(const Graph& graph, Form form);

}  // namespace deeper::ir
