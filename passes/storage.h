#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"

namespace deeper::passes {

// Groups of values that share a buffer, each at a fixed channel of the group. Starts from the slots a graph has.
class Storage {
 public:
  explicit Storage(const ir::Graph& graph);

  // f32 of rank 4 and computed by a node: it can have a slot.
  static bool can_hold(const ir::Graph& graph, ir::ValueId value);

  // Places `part` at `channel` channels after the start of `whole`, by joining their groups. False, and nothing done,
  // where that contradicts their places or would lay different elements over each other.
  bool place(ir::ValueId whole, ir::ValueId part, std::int64_t channel);

  // Gives the graph the slots of every group of two or more. True where any slot or buffer changed.
  bool apply(ir::Graph& graph) const;

 private:
  // A channel of a value that is no slice and no concatenation.
  struct Element {
    ir::ValueId value;
    std::int64_t channel = 0;
    bool operator==(const Element&) const = default;
  };
  struct Member {
    ir::ValueId value;
    std::int64_t channel = 0;
  };
  using Group = std::vector<Member>;

  std::size_t group_of(ir::ValueId value);
  std::int64_t channel_of(ir::ValueId value, std::size_t group) const;
  const std::vector<Element>& elements(ir::ValueId value);
  bool agree(const Member& a, const Member& b);

  const ir::Graph* graph_;
  std::vector<Group> groups_;  // an emptied one was joined to another
  std::unordered_map<std::uint32_t, std::size_t> groups_of_values_;
  std::unordered_map<std::uint32_t, std::vector<Element>> elements_;
};

}  // namespace deeper::passes
