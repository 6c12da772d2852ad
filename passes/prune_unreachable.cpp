// Removes nodes and constants that no output needs: auxiliary classifiers nobody asked for, training outputs. Graph
// inputs stay, read or not.
//
//   %a: f32[1,4] = Unary(%x) {function=relu}        %b: f32[1,4] = Unary(%x) {function=tanh}
//   %b: f32[1,4] = Unary(%x) {function=tanh}   ->   output "y" = %b
//   output "y" = %b
//
// Exact: always.
#include "passes/passes.h"

namespace deeper::passes {

bool prune_unreachable(ir::Graph& graph) { return graph.prune(); }

}  // namespace deeper::passes
