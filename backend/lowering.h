#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/compile.h"
#include "backend/storage.h"
#include "backend/weights.h"
#include "ir/graph.h"
#include "runtime/plan.h"

namespace deeper::backend {

// An operand whose block has no address yet. Its offset is within the block, or within the weights where there is none.
struct Ref {
  runtime::Operand operand;
  std::optional<std::uint32_t> block;

  bool valid() const { return operand.space != runtime::Space::none; }
};

// A step before memory is planned: step.operands, result and scratch are filled by finish().
struct Draft {
  runtime::Step step;
  std::vector<Ref> operands;
  Ref result;
  std::uint64_t scratch_bytes = 0;
};

// What compile() builds a plan in: lower() functions ask it where values lie and emit steps, in order.
class Lowering {
 public:
  Lowering(const ir::Graph& graph, const Target& target, const CompileOptions& options);

  const ir::Graph& graph() const { return graph_; }
  // What the node lowered now is compiled for.
  const Target& target() const { return is_alone_ ? alone_ : target_; }
  bool is_alone() const { return is_alone_; }
  const CompileOptions& options() const { return options_; }
  std::size_t step_count() const { return drafts_.size(); }

  // The nodes from here on to end_images() run for one of so many images after the other: they see values, and what is
  // made for them, with a batch of one. Side by side, each is one thread's.
  void begin_images(std::int64_t images, bool side_by_side);
  void end_images();

  // --- nodes that share a step ---
  // By value, the node that alone reads it and may be computed with the one that gives it.
  void set_only_users(std::map<ir::ValueId, ir::NodeId> users) { only_users_ = std::move(users); }
  // That of what the node gives; null where there is none.
  const ir::Node* only_user(const ir::Node& node) const;
  // The steps of `other` compute `node` too.
  void compute_with(const ir::Node& node, const ir::Node& other) { computed_with_[node.output] = other.output; }
  bool is_computed_with_another(const ir::Node& node) const { return computed_with_.contains(node.output); }
  bool is_computed_with(const ir::Node& node, const ir::Node& other) const;

  // --- where things lie ---
  // The value as it lies; a constant in the engine's layout. An absent operand gives an invalid Ref.
  Ref operand(const ir::Node& node, std::size_t index);
  // The same as NHWC with any pixel stride (rank 4) or row-major: a copy where it lies otherwise.
  Ref conforming(const ir::Node& node, std::size_t index);
  // The same without gaps in the engine's layout: a copy where it lies otherwise.
  Ref dense(const ir::Node& node, std::size_t index);
  // The same without gaps in row-major order: a copy where it lies otherwise.
  Ref row_major(const ir::Node& node, std::size_t index);
  Ref result(const ir::Node& node) const;
  // True where the node needs no step: its result lies where its first operand has it.
  bool is_view(const ir::Node& node) const { return storage_.views.at(node.output.index); }

  // --- making memory ---
  // Dense in the given strides, alive from the first to the last step that names it.
  Ref temporary(const ir::Shape& shape, const ir::Shape& strides, std::string name);
  // Read-only bytes; equal ones are stored once.
  Ref weights(std::span<const std::byte> bytes, ir::Shape shape, std::string name);
  // Numbers in row-major order of `shape`.
  Ref constant(std::span<const float> elements, const ir::Shape& shape, std::string name);

  // --- steps ---
  // A draft with everything that comes from the node: op, name, origins, multiply-adds.
  Draft draft(const ir::Node& node, std::string_view kernel) const;
  void emit(Draft draft);
  // native.copy between two places of one shape. `name` becomes the step's.
  void copy(const Ref& from, const Ref& to, std::string name);

  // Plans memory and gives the plan its steps, weights and ports.
  runtime::Plan finish();

 private:
  enum class Form : std::uint8_t { dense, row_major };

  Ref place_ref(ir::ValueId value) const;
  Ref constant_ref(ir::ValueId value, Form form);
  Ref copied(ir::ValueId value, Form form);
  void copy_outputs();

  const ir::Graph& graph_;
  const Target& target_;
  Target alone_;  // the same with one thread
  const CompileOptions& options_;
  Storage storage_;
  WeightsBuilder weights_;
  std::vector<Draft> drafts_;
  std::map<std::pair<ir::ValueId, Form>, Ref> copies_;
  std::int64_t images_ = 1;  // of which nodes lowered now see one
  bool is_alone_ = false;    // each by a thread of its own
  std::vector<runtime::ImageLoop> loops_;
  std::map<ir::ValueId, ir::NodeId> only_users_;
  std::map<ir::ValueId, ir::ValueId> computed_with_;
};

}  // namespace deeper::backend
