#pragma once

#include <string>

#include "ir/graph.h"

// The text form. parse(print(g)) == g: same nodes, names, types, attributes, slots and constants, bit for bit.
//
//   graph "tiny" {
//     input %x: f32[1,2,4,4]
//     const %w: f32[2,2,1,1] = {1, 0, 0.5, -1}
//     const %v: f32[64,2,3,3] = seed(7)
//     const %u: f32[1000,2048] = file("tiny.bin", 4096)
//     buffer $b0[4]
//     %y: f32[1,2,4,4] in $b0[2] = Conv(%x, %w, _, %r) {pads=[1,1,1,1], activation=relu} "node name" from "a", "b"
//     output "prob" = %y
//   }
//
// A name with other characters than letters, digits, '_', '.', '/', '-' and ':' is quoted: %"two words". An absent
// operand is '_'. Attributes at their default are left out. An activation prints as its function with the parameters it
// has: relu, leaky_relu(0.1), clip(0, 6). The node's name and origins are left out where empty; a node named as its
// value, or with its own name as only origin, still prints both.
namespace deeper::ir {

struct PrintOptions {
  // Constants of more elements than this that have no seed go to the side file; with no side file they print by value.
  std::int64_t inline_limit = 64;
  std::string side_file;  // path written; the text holds its file name (resolved beside the text when parsed)
};

std::string print(const Graph& graph, const PrintOptions& options);
std::string print(const Graph& graph);  // all constants by value or seed

// One node without its constants, as it stands in the text.
std::string print_node(const Graph& graph, NodeId id);

// An op with its attributes: "Conv {pads=[1,1,1,1]}"; parse_op reads it back.
std::string print_op(const Op& op);

// Nodes and types only, constants as their type: for people and for dumps.
std::string print_summary(const Graph& graph);

}  // namespace deeper::ir
