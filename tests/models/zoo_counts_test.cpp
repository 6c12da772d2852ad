// What the pipeline does to every model of the zoo, in numbers: siblings merged, concats that move nothing, nodes left.
#include <gtest/gtest.h>

#include <filesystem>

#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/verify.h"
#include "passes/passes.h"

namespace deeper {
namespace {

// How many there were and how many are left.
struct Change {
  std::int64_t before = 0;
  std::int64_t after = 0;
  bool operator==(const Change&) const = default;
};

struct Done {
  Change nodes;
  Change batch_norms;
  Change activations;  // as nodes of their own
  Change concats;      // that move something
  Change megabytes;    // activations that nodes read and write in fp32, those that only view another left out
  bool operator==(const Done&) const = default;
};

void PrintTo(const Done& done, std::ostream* stream) {
  for (const Change& change : {done.nodes, done.batch_norms, done.activations, done.concats, done.megabytes}) {
    *stream << "{" << change.before << ", " << change.after << "} ";
  }
}

struct Counts {
  int convs = 0;
  int slices = 0;  // of a wide conv that were convs, or of what a conv of several groups reads
  int wide = 0;
  int concats = 0;
  int residuals = 0;    // convs that add one
  int elementwise = 0;  // nodes of their own
  int batch_norms = 0;
  int moved = 0;  // operands of concats and slices that are not where they should be
  bool operator==(const Counts&) const = default;
};

void PrintTo(const Counts& counts, std::ostream* stream) {
  *stream << "{" << counts.convs << ", " << counts.slices << ", " << counts.wide << ", " << counts.concats << ", "
          << counts.residuals << ", " << counts.elementwise << "}, " << counts.batch_norms << " BatchNorms, "
          << counts.moved << " pieces moved";
}

bool lies_in(const ir::Graph& graph, ir::ValueId part, ir::ValueId whole, std::int64_t channel) {
  const auto& inner = graph.value(part).slot;
  const auto& outer = graph.value(whole).slot;
  return inner && outer && inner->buffer == outer->buffer && inner->channel == outer->channel + channel;
}

bool is_elementwise(const ir::Node& node) {
  return std::holds_alternative<ir::Unary>(node.op) || std::holds_alternative<ir::Binary>(node.op);
}

void count_pieces(const ir::Graph& graph, const ir::Node& node, Counts& counts) {
  if (const auto* slice = std::get_if<ir::Slice>(&node.op)) {
    ++counts.slices;
    if (!lies_in(graph, node.output, node.inputs[0], slice->starts.at(1))) ++counts.moved;
  }
  if (!std::holds_alternative<ir::Concat>(node.op)) return;
  ++counts.concats;
  std::int64_t channel = 0;
  for (const ir::ValueId input : node.inputs) {
    if (!lies_in(graph, input, node.output, channel)) ++counts.moved;
    channel += graph.shape(input).at(1);
  }
}

Counts count(const ir::Graph& graph) {
  Counts counts;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    count_pieces(graph, node, counts);
    if (std::holds_alternative<ir::BatchNorm>(node.op)) ++counts.batch_norms;
    if (is_elementwise(node)) ++counts.elementwise;
    if (!std::holds_alternative<ir::Conv>(node.op)) continue;
    ++counts.convs;
    if (node.inputs.size() == 4) ++counts.residuals;
    if (graph.value(node.output).name.ends_with("/wide")) ++counts.wide;
  }
  return counts;
}

bool is_view(const ir::Graph& graph, const ir::Node& node) {
  if (std::holds_alternative<ir::Reshape>(node.op)) return true;
  Counts counts;
  count_pieces(graph, node, counts);
  return counts.slices + counts.concats > 0 && counts.moved == 0;
}

std::int64_t bytes_moved(const ir::Graph& graph) {
  std::int64_t elements = 0;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (is_view(graph, node)) continue;
    elements += ir::element_count(graph.shape(node.output));
    for (const ir::ValueId input : node.inputs) {
      if (input.valid() && !graph.constant(input)) elements += ir::element_count(graph.shape(input));
    }
  }
  return 4 * elements;
}

Done done(const ir::Graph& before, const ir::Graph& after) {
  Done done;
  const auto fill = [&](std::int64_t Change::*when, const ir::Graph& graph) {
    for (const ir::NodeId id : graph.order()) {
      const ir::Node& node = graph.node(id);
      ++(done.nodes.*when);
      if (std::holds_alternative<ir::BatchNorm>(node.op)) ++(done.batch_norms.*when);
      if (std::holds_alternative<ir::Unary>(node.op)) ++(done.activations.*when);
      if (std::holds_alternative<ir::Concat>(node.op) && !is_view(graph, node)) ++(done.concats.*when);
    }
    done.megabytes.*when = (bytes_moved(graph) + 500000) / 1000000;
  };
  fill(&Change::before, before);
  fill(&Change::after, after);
  return done;
}

struct Member {
  std::string name;
  Done done;
  Counts counts;
};

void PrintTo(const Member& member, std::ostream* stream) { *stream << member.name; }

class ZooCounts : public testing::TestWithParam<Member> {};

TEST_P(ZooCounts, AreAsStated) {
  const auto path = std::filesystem::temp_directory_path() / ("deeper_zoo_counts_" + GetParam().name + ".onnx");
  frontend::write_zoo_model(GetParam().name, path, {.seed = 1, .size = 0});
  ir::Graph graph = frontend::import_onnx(path, {});
  std::filesystem::remove(path);
  const ir::Graph imported = graph;
  passes::run_passes(graph, passes::default_pipeline());
  ir::verify(graph, ir::Form::optimized);
  EXPECT_EQ(count(graph), GetParam().counts);
  EXPECT_EQ(done(imported, graph), GetParam().done);
}

const std::vector<Member> kMembers{
    {"alexnet",
     {.nodes = {24, 27}, .batch_norms = {0, 0}, .activations = {7, 0}, .concats = {0, 0}, .megabytes = {16, 11}},
     {.convs = 8, .slices = 6, .concats = 3}},
    {"googlenet",
     {.nodes = {161, 106}, .batch_norms = {0, 0}, .activations = {61, 0}, .concats = {9, 0}, .megabytes = {92, 49}},
     {.convs = 41, .slices = 27, .wide = 9, .concats = 9}},
    {"googlenet_bn",
     {.nodes = {198, 92}, .batch_norms = {57, 0}, .activations = {57, 0}, .concats = {9, 0}, .megabytes = {110, 41}},
     {.convs = 39, .slices = 27, .wide = 9, .concats = 9}},
    {"inception_v1_naive",
     {.nodes = {55, 37}, .batch_norms = {0, 0}, .activations = {17, 0}, .concats = {5, 0}, .megabytes = {79, 48}},
     {.convs = 17, .concats = 5}},
    {"bn_inception",
     {.nodes = {234, 105}, .batch_norms = {69, 0}, .activations = {69, 0}, .concats = {10, 0}, .megabytes = {124, 41}},
     {.convs = 51, .slices = 28, .wide = 10, .concats = 10}},
    {"inception_v2",
     {.nodes = {349, 146},
      .batch_norms = {105, 0},
      .activations = {105, 0},
      .concats = {16, 0},
      .megabytes = {300, 94}},
     {.convs = 83, .slices = 34, .wide = 12, .concats = 12}},
    {"inception_v2_slim",
     {.nodes = {235, 106}, .batch_norms = {69, 0}, .activations = {69, 0}, .concats = {10, 0}, .megabytes = {126, 43}},
     {.convs = 52, .slices = 28, .wide = 10, .concats = 10}},
    {"inception_v3",
     {.nodes = {325, 138}, .batch_norms = {96, 0}, .activations = {96, 0}, .concats = {15, 0}, .megabytes = {290, 95}},
     {.convs = 77, .slices = 29, .wide = 10, .concats = 11}},
    {"inception_v4",
     {.nodes = {495, 206},
      .batch_norms = {149, 0},
      .activations = {149, 0},
      .concats = {25, 0},
      .megabytes = {531, 166}},
     {.convs = 119, .slices = 46, .wide = 16, .concats = 19}},
    {"inception_resnet_v1",
     {.nodes = {451, 188}, .batch_norms = {112, 0}, .activations = {133, 2}, .concats = {23, 0}, .megabytes = {98, 31}},
     {.convs = 104, .slices = 50, .wide = 22, .concats = 23, .residuals = 21, .elementwise = 4}},
    {"inception_resnet_v2",
     {.nodes = {823, 338},
      .batch_norms = {204, 0},
      .activations = {243, 0},
      .concats = {43, 0},
      .megabytes = {858, 260}},
     {.convs = 190, .slices = 96, .wide = 42, .concats = 43, .residuals = 40}},
};

INSTANTIATE_TEST_SUITE_P(Zoo, ZooCounts, testing::ValuesIn(kMembers),
                         [](const auto& member) { return member.param.name; });

}  // namespace
}  // namespace deeper
