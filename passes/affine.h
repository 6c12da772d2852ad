#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

// Affine maps per channel, and folding them into the weights of convolutions and matrix products.
namespace deeper::passes {

// y[n,c,...] = scale[c] x[n,c,...] + shift[c]. In double: what is folded is rounded once.
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;

  static Affine identity(std::int64_t channels);
  // This map, and then the other.
  Affine then(const Affine& next) const;
  bool scales() const;      // some scale is not 1
  bool shifts() const;      // some shift is not 0
  bool invertible() const;  // no scale is 0
};

// A node that maps one operand affinely.
struct AffineNode {
  ir::ValueId x;
  Affine map;
};

// Binary add, sub, mul or div of a value and a finite constant per channel, either one first; never a division by the
// value or by 0.
std::optional<AffineNode> match_affine(const ir::Graph& graph, ir::NodeId id);

// A BatchNorm with constant statistics and a positive finite variance + epsilon.
std::optional<AffineNode> match_batch_norm(const ir::Graph& graph, ir::NodeId id);

// A Conv, or a MatMul of matrices, with constant weights and a constant bias or none: its input channels are axis 1 of
// operand 0, its output channels axis 1 of its result.
bool has_constant_weights(const ir::Graph& graph, ir::NodeId id);

// has_constant_weights, and neither activation nor residual.
bool can_fold_after(const ir::Graph& graph, ir::NodeId id);

// A Conv without pads, or a MatMul: every input element that its window covers is an element of operand 0.
bool is_unpadded(const ir::Node& node);

// Makes `last` compute map(linear), reading what `linear` read. `linear` is left as it is.
void fold_after(ir::Graph& graph, ir::NodeId linear, const Affine& map, ir::NodeId last);

// Makes `linear` compute on `x` what it computed on map(x). Where map shifts, `linear` must be unpadded.
void fold_before(ir::Graph& graph, ir::NodeId linear, const Affine& map, ir::ValueId x);

// Every node that reads the value reads it as operand 0 of a node with constant weights, and it is no graph output.
bool feeds_constant_weights_only(const ir::Graph& graph, ir::ValueId value);

// A new constant that broadcasts along axis 1 of values of rank `rank`, rounded to f32.
ir::ValueId channel_vector(ir::Graph& graph, const std::string& name, const std::vector<double>& numbers,
                           std::size_t rank);

// Makes `last` compute map(x) by a Mul and an Add, leaving out one that would change nothing. Where both would, every
// use of the result reads x, and `last` is erased.
void emit_affine(ir::Graph& graph, ir::NodeId last, ir::ValueId x, const Affine& map);

}  // namespace deeper::passes
