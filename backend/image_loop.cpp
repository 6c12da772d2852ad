#include "backend/image_loop.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <variant>

#include "backend/algorithms.h"
#include "ir/match.h"

namespace deeper::backend {
namespace {

constexpr double kUnknown = -std::numeric_limits<double>::infinity();

bool are_images(const ir::Shape& shape, std::int64_t images) { return shape.size() == 4 && shape[0] == images; }

// Whether the op does to each image what it does to all, whatever their number.
bool is_imagewise(const ir::Op& op, std::int64_t images) {
  if (const auto* concat = std::get_if<ir::Concat>(&op)) return concat->axis == 1;
  if (const auto* slice = std::get_if<ir::Slice>(&op)) return slice->steps[0] == 1 && slice->shape[0] == images;
  return std::holds_alternative<ir::Conv>(op) || std::holds_alternative<ir::Pool>(op) ||
         std::holds_alternative<ir::Lrn>(op) || std::holds_alternative<ir::Unary>(op) ||
         std::holds_alternative<ir::Binary>(op) || std::holds_alternative<ir::BatchNorm>(op);
}

// Whether a constant operand is the same for each image.
bool is_shared(const ir::Graph& graph, const ir::Node& node, ir::ValueId constant) {
  const ir::Shape& shape = graph.shape(constant);
  return std::holds_alternative<ir::Conv>(node.op) || shape.size() < 4 || shape[0] == 1;
}

bool can_loop(const ir::Graph& graph, const ir::Node& node, std::int64_t images) {
  if (!is_imagewise(node.op, images) || !are_images(graph.shape(node.output), images)) return false;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ir::ValueId input = node.inputs[i];
    if (!input.valid()) continue;
    const bool is_weight = std::holds_alternative<ir::Conv>(node.op) && (i == 1 || i == 2);
    const bool fits =
        graph.constant(input) ? is_shared(graph, node, input) : !is_weight && are_images(graph.shape(input), images);
    if (!fits) return false;
  }
  return true;
}

class Gains {
 public:
  Gains(const ir::Graph& graph, const Target& target, const CompileOptions& options, std::int64_t images,
        bool side_by_side)
      : graph_(graph), target_(target), options_(options), images_(images), side_by_side_(side_by_side) {}

  // Nanoseconds that a node gains in a loop: what it reads and writes is near, its weights come again.
  double of(const ir::Node& node) const {
    if (std::holds_alternative<ir::Slice>(node.op)) return 0;                              // a view
    if (side_by_side_ && std::holds_alternative<ir::BatchNorm>(node.op)) return kUnknown;  // oneDNN's needs all threads
    const double near = reading_ns(node) + writing_ns(node) + barriers_ns();
    if (!std::holds_alternative<ir::Conv>(node.op)) return near;
    ConvProblem problem = conv_problem(node, 1);
    problem.is_alone = side_by_side_;
    const std::int64_t turns = side_by_side_ ? (images_ + target_.threads - 1) / target_.threads : images_;
    return near + conv_ns(conv_problem(node, images_)) - static_cast<double>(turns) * conv_ns(problem);
  }

  // What it takes to read and write activations that are far, beyond what products hide.
  double reading_ns(const ir::Node& node) const {
    double ns = 0;
    for (const ir::ValueId input : node.inputs) {
      if (input.valid() && !graph_.constant(input)) ns += far_ns(input);
    }
    return ns;
  }
  double writing_ns(const ir::Node& node) const { return far_ns(node.output); }

 private:
  // What a team loses at the end of every step.
  double barriers_ns() const {
    constexpr double kBarrierNs = 1000;
    if (target_.threads == 1) return 0;
    return kBarrierNs * (side_by_side_ ? 1 : 1 - static_cast<double>(images_));
  }

  double far_ns(ir::ValueId value) const {
    constexpr double kBytesPerNs = 12;  // of a core; with batches of 8
    return static_cast<double>(ir::element_count(graph_.shape(value)) * sizeof(float)) / kBytesPerNs / target_.threads;
  }

  ConvProblem conv_problem(const ir::Node& node, std::int64_t batch) const {
    const ir::Shape& in = graph_.shape(node.inputs[0]);
    const auto is_there = [&](std::size_t i) { return i < node.inputs.size() && node.inputs[i].valid(); };
    ConvProblem problem{.shape = dense_conv_shape(batch, in[1], {in[2], in[3]}, graph_.shape(node.output)[1],
                                                  ir::kernel_of(graph_, node), std::get<ir::Conv>(node.op)),
                        .constant_weights = true};
    problem.shape.has_bias = is_there(2);
    problem.shape.has_residual = is_there(3);
    return problem;
  }

  // By the cost model whatever records say, so that tuning meets the same loops in all its plans. Infinity where there
  // is no way.
  double conv_ns(const ConvProblem& problem) const {
    const std::vector<ConvChoice> choices = conv_choices(problem, target_, options_);
    return choices.empty() ? std::numeric_limits<double>::infinity() : choices.front().candidate.estimate_ns;
  }

  const ir::Graph& graph_;
  const Target& target_;
  const CompileOptions& options_;
  std::int64_t images_;
  bool side_by_side_;
};

struct FoundLoops {
  std::vector<NodeLoop> loops;
  double gain = 0;  // nanoseconds
};

FoundLoops find_loops(const ir::Graph& graph, const Target& target, const CompileOptions& options, std::int64_t images,
                      bool side_by_side) {
  const Gains gains(graph, target, options, images, side_by_side);
  const std::span<const ir::NodeId> order = graph.order();
  std::vector<double> most(order.size() + 1, 0);        // gain of the nodes before
  std::vector<std::size_t> first(order.size() + 1, 0);  // of the loop that ends there, or its end where none does
  double entered = kUnknown;                            // gain with a loop under way
  std::size_t start = 0;                                // where it starts
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ir::Node& node = graph.node(order[i]);
    most[i + 1] = most[i];
    first[i + 1] = i + 1;
    const double gain = can_loop(graph, node, images) ? gains.of(node) : kUnknown;
    if (!std::isfinite(gain)) {  // or no model says how long it takes
      entered = kUnknown;
      continue;
    }
    if (const double afresh = most[i] - gains.reading_ns(node); afresh > entered) {
      entered = afresh;
      start = i;
    }
    entered += gain;
    if (entered - gains.writing_ns(node) <= most[i]) continue;
    most[i + 1] = entered - gains.writing_ns(node);
    first[i + 1] = start;
  }
  FoundLoops found{.loops = {}, .gain = most.back()};
  for (std::size_t end = order.size(); end > 0; end = std::min(end - 1, first[end])) {
    if (first[end] == end) continue;
    found.loops.insert(found.loops.begin(),
                       {.first = first[end], .end = end, .images = images, .side_by_side = side_by_side});
  }
  return found;
}

}  // namespace

std::vector<NodeLoop> find_image_loops(const ir::Graph& graph, const Target& target, const CompileOptions& options) {
  if (graph.inputs().empty() || graph.shape(graph.inputs().front()).size() != 4) return {};
  const std::int64_t images = graph.shape(graph.inputs().front())[0];
  if (images <= 1) return {};
  FoundLoops found = find_loops(graph, target, options, images, false);
  const bool is_native = options.kernels == Kernels::all && !options.force.starts_with("onednn");
  if (target.threads == 1 || images < target.threads || !is_native) return found.loops;
  FoundLoops apart = find_loops(graph, target, options, images, true);
  return apart.gain > found.gain ? apart.loops : found.loops;
}

}  // namespace deeper::backend
