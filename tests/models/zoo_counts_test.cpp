// What the pipeline does to every model of the zoo, in numbers: siblings merged, concats that move nothing, nodes left.
#include <gtest/gtest.h>

#include <filesystem>

#include "frontend/import.h"
#include "frontend/zoo/zoo.h"
#include "ir/verify.h"
#include "passes/passes.h"

namespace deeper {
namespace {

struct Counts {
  int convs = 0;
  int siblings = 0;  // convs that became slices of a wide one
  int wide = 0;
  int concats = 0;
  int residuals = 0;    // convs that add one
  int after_pools = 0;  // elementwise nodes that a commuted pool left behind it
  int elementwise = 0;  // the others
  int batch_norms = 0;
  int moved = 0;  // operands of concats and slices that are not where they should be
  bool operator==(const Counts&) const = default;
};

void PrintTo(const Counts& counts, std::ostream* stream) {
  *stream << "{" << counts.convs << ", " << counts.siblings << ", " << counts.wide << ", " << counts.concats << ", "
          << counts.residuals << ", " << counts.after_pools << ", " << counts.elementwise << "}, " << counts.batch_norms
          << " BatchNorms, " << counts.moved << " pieces moved";
}

bool lies_in(const ir::Graph& graph, ir::ValueId part, ir::ValueId whole, std::int64_t channel) {
  const auto& inner = graph.value(part).slot;
  const auto& outer = graph.value(whole).slot;
  return inner && outer && inner->buffer == outer->buffer && inner->channel == outer->channel + channel;
}

bool is_elementwise(const ir::Node& node) {
  return std::holds_alternative<ir::Unary>(node.op) || std::holds_alternative<ir::Binary>(node.op);
}

// A Pool, or what an elementwise node made of one.
bool comes_from_pool(const ir::Graph& graph, ir::ValueId value) {
  const ir::NodeId id = graph.producer(value);
  if (!id.valid()) return false;
  const ir::Node& node = graph.node(id);
  return std::holds_alternative<ir::Pool>(node.op) || (is_elementwise(node) && comes_from_pool(graph, node.inputs[0]));
}

void count_pieces(const ir::Graph& graph, const ir::Node& node, Counts& counts) {
  if (const auto* slice = std::get_if<ir::Slice>(&node.op)) {
    ++counts.siblings;
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
    if (is_elementwise(node)) ++(comes_from_pool(graph, node.inputs[0]) ? counts.after_pools : counts.elementwise);
    if (!std::holds_alternative<ir::Conv>(node.op)) continue;
    ++counts.convs;
    if (node.inputs.size() == 4) ++counts.residuals;
    if (graph.value(node.output).name.ends_with("/wide")) ++counts.wide;
  }
  return counts;
}

struct Member {
  std::string name;
  Counts counts;
};

void PrintTo(const Member& member, std::ostream* stream) { *stream << member.name; }

class ZooCounts : public testing::TestWithParam<Member> {};

TEST_P(ZooCounts, AreAsStated) {
  const auto path = std::filesystem::temp_directory_path() / ("deeper_zoo_counts_" + GetParam().name + ".onnx");
  frontend::write_zoo_model(GetParam().name, path, {.seed = 1, .size = 0});
  ir::Graph graph = frontend::import_onnx(path, {});
  std::filesystem::remove(path);
  passes::run_passes(graph, passes::default_pipeline());
  ir::verify(graph, ir::Form::optimized);
  EXPECT_EQ(count(graph), GetParam().counts);
}

const std::vector<Member> kMembers{
    {"alexnet", {.convs = 5}},
    {"googlenet", {.convs = 41, .siblings = 27, .wide = 9, .concats = 9}},
    {"googlenet_bn", {.convs = 39, .siblings = 27, .wide = 9, .concats = 9}},
    {"inception_v1_naive", {.convs = 17, .concats = 5}},
    {"bn_inception", {.convs = 51, .siblings = 28, .wide = 10, .concats = 10, .after_pools = 14}},
    {"inception_v2", {.convs = 83, .siblings = 34, .wide = 12, .concats = 12, .after_pools = 10}},
    {"inception_v2_slim", {.convs = 52, .siblings = 28, .wide = 10, .concats = 10, .after_pools = 7}},
    {"inception_v3", {.convs = 77, .siblings = 29, .wide = 10, .concats = 11, .after_pools = 9}},
    {"inception_v4", {.convs = 119, .siblings = 46, .wide = 16, .concats = 19, .after_pools = 14}},
    {"inception_resnet_v1",
     {.convs = 104, .siblings = 50, .wide = 22, .concats = 23, .residuals = 21, .elementwise = 4}},
    {"inception_resnet_v2",
     {.convs = 190, .siblings = 96, .wide = 42, .concats = 43, .residuals = 40, .after_pools = 1}},
};

INSTANTIATE_TEST_SUITE_P(Zoo, ZooCounts, testing::ValuesIn(kMembers),
                         [](const auto& member) { return member.param.name; });

}  // namespace
}  // namespace deeper
