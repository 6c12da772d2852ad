// What the importer makes of a graph as a whole: order, names, outputs, dims, opsets.
#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "tests/unit/import_support.h"

namespace deeper::import_tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ModelBuilder relu_model(const Dims& dims) {
  ModelBuilder model(13);
  model.input("x", dims).output("y");
  model.node("Relu", {"x"}, {"y"}).name("act");
  return model;
}

TEST(ImportGraph, NamesValuesAndNodesAsTheModelDoes) {
  ModelBuilder model(9);
  model.input("in put:0", {1, 4}).output("a/b:0");
  model.node("Softmax", {"in put:0"}, {"soft"}).name("Soft max");
  model.node("Abs", {"soft"}, {"a/b:0"});
  const ir::Graph graph = import_of(model).graph;
  ASSERT_EQ(graph.order().size(), 2U);
  const ir::Node& softmax = graph.node(graph.order()[0]);
  EXPECT_EQ(softmax.name, "Soft max");
  EXPECT_THAT(softmax.origins, ElementsAre("Soft max"));
  EXPECT_EQ(graph.value(softmax.output).name, "soft");
  const ir::Node& abs = graph.node(graph.order()[1]);
  EXPECT_EQ(abs.name, "a/b:0") << "an unnamed node goes by its first output";
  EXPECT_EQ(graph.value(graph.inputs()[0]).name, "in put:0");
  EXPECT_EQ(graph.outputs()[0].name, "a/b:0");
}

TEST(ImportGraph, IntermediateValuesKeepTheOriginAndLeaveNamesOfTheModelAlone) {
  ModelBuilder model(13);
  model.input("x", {1, 4}).output("y").output("y.1");
  model.node("ReduceL2", {"x"}, {"y"}).name("norm");
  model.node("Abs", {"x"}, {"y.1"}).name("abs");
  const ir::Graph graph = import_of(model).graph;
  ASSERT_EQ(graph.order().size(), 4U);
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(graph.node(graph.order()[static_cast<std::size_t>(i)]).origins, ElementsAre("norm"));
  EXPECT_EQ(graph.value(graph.outputs()[0].value).name, "y");
  EXPECT_EQ(graph.value(graph.outputs()[1].value).name, "y.1");
}

TEST(ImportGraph, OrdersNodesThatComeOutOfOrder) {
  ModelBuilder model(13);
  model.input("x", {2}).output("c");
  model.node("Neg", {"b"}, {"c"});
  model.node("Abs", {"a"}, {"b"});
  model.node("Neg", {"x"}, {"a"});
  EXPECT_THAT(run(model, {{{2}, {3, -4}}})[0].data, ElementsAre(-3, -4));
}

TEST(ImportGraph, KeepsTheFilesOrderWhereItIsOne) {
  ModelBuilder model(13);
  model.input("x", {2}).output("c");
  model.node("Neg", {"x"}, {"a"}).name("1");
  model.node("Abs", {"x"}, {"b"}).name("2");
  model.node("Add", {"b", "a"}, {"c"}).name("3");
  const ir::Graph graph = import_of(model).graph;
  std::vector<std::string> names;
  for (const ir::NodeId id : graph.order()) names.push_back(graph.node(id).name);
  EXPECT_THAT(names, ElementsAre("1", "2", "3"));
}

TEST(ImportGraph, RefusesCyclesEvenWhereNoOutputNeedsThem) {
  ModelBuilder model = relu_model({2});
  model.node("Add", {"x", "q"}, {"p"}).name("first");
  model.node("Neg", {"p"}, {"q"}).name("second");
  EXPECT_THAT(import_error(model), HasSubstr("lies on a cycle"));
}

TEST(ImportGraph, RefusesMissingAndDoublyDefinedValues) {
  ModelBuilder missing = relu_model({2});
  missing.node("Neg", {"nowhere"}, {"z"}).name("n");
  EXPECT_THAT(import_error(missing), HasSubstr("node 'n' (Neg): input 'nowhere' is defined nowhere"));
  ModelBuilder twice = relu_model({2});
  twice.node("Neg", {"x"}, {"y"});
  EXPECT_THAT(import_error(twice), HasSubstr("value 'y' is defined twice"));
  ModelBuilder over_input = relu_model({2});
  over_input.node("Neg", {"y"}, {"x"});
  EXPECT_THAT(import_error(over_input), HasSubstr("value 'x' is defined twice"));
  ModelBuilder no_output(13);
  no_output.input("x", {2}).output("y");
  EXPECT_THAT(import_error(no_output), HasSubstr("output 'y' is defined nowhere"));
}

TEST(ImportGraph, ImportsOnlyWhatTheOutputsNeed) {
  ModelBuilder model = relu_model({2});
  model.input("label", {"M"}, onnx::TensorProto::STRING).output("loss");
  model.node("TrainingThing", {"y", "label"}, {"loss"}).name("aux");
  EXPECT_THAT(import_error(model), HasSubstr("node 'aux' (TrainingThing, opset 13): the operator is not supported"));
  const frontend::Imported imported = import_of(model, {.dims = {}, .input_shapes = {}, .outputs = {"y"}});
  EXPECT_EQ(imported.graph.order().size(), 1U);
  ASSERT_EQ(imported.inputs.size(), 1U);
  EXPECT_EQ(imported.inputs[0].name, "x");
}

TEST(ImportGraph, AnyValueMayBeAnOutput) {
  ModelBuilder model = relu_model({2});
  model.node("Neg", {"y"}, {"z"});
  model.output("z");
  const frontend::Imported imported = import_of(model, {.dims = {}, .input_shapes = {}, .outputs = {"z", "x"}});
  EXPECT_EQ(imported.outputs[0].name, "z");
  EXPECT_EQ(imported.outputs[1].name, "x");
  EXPECT_THAT(import_error(model, {.dims = {}, .input_shapes = {}, .outputs = {"w"}}),
              HasSubstr("output 'w' is defined nowhere"));
  EXPECT_THAT(import_error(model, {.dims = {}, .input_shapes = {}, .outputs = {"y", "y"}}), HasSubstr("named twice"));
}

TEST(ImportGraph, InitializersMayBeInputsAndShared) {
  ModelBuilder model(8);
  model.input("x", {1, 2}).input("w", {2}).constant("w", {2}, {3, 4}).output("y");
  model.node("Identity", {"w"}, {"shared"});
  model.node("Mul", {"x", "shared"}, {"p"});
  model.node("Add", {"p", "w"}, {"y"});
  const frontend::Imported imported = import_of(model);
  EXPECT_EQ(imported.inputs.size(), 1U);
  EXPECT_THAT(ir::evaluate(imported.graph, std::vector{ramp({1, 2}, 1, 1)})[0].data, ElementsAre(6, 12));
}

TEST(ImportGraph, BatchIsOneUnlessBound) {
  EXPECT_EQ(import_of(relu_model({"N", 3})).graph.type(ir::ValueId{0}).shape, (ir::Shape{1, 3}));
  EXPECT_EQ(import_of(relu_model({"", 3})).graph.type(ir::ValueId{0}).shape, (ir::Shape{1, 3}));
  const frontend::ImportOptions four{.dims = {{"N", 4}}, .input_shapes = {}, .outputs = {}};
  EXPECT_EQ(import_of(relu_model({"N", 3}), four).graph.type(ir::ValueId{0}).shape, (ir::Shape{4, 3}));
}

TEST(ImportGraph, OtherDimsMustBeBound) {
  const ModelBuilder model = relu_model({"N", 3, "H", ""});
  EXPECT_THAT(import_error(model), HasSubstr("dim 'H' of input 'x' is not known (--dim H=...)"));
  EXPECT_THAT(import_error(model, {.dims = {{"H", 5}}, .input_shapes = {}, .outputs = {}}),
              HasSubstr("dim 'x[3]' of input 'x' is not known"));
  const frontend::ImportOptions all{.dims = {{"H", 5}, {"x[3]", 6}}, .input_shapes = {}, .outputs = {}};
  EXPECT_EQ(import_of(model, all).graph.type(ir::ValueId{0}).shape, (ir::Shape{1, 3, 5, 6}));
}

TEST(ImportGraph, ShapesOfTensorsBindDims) {
  const ModelBuilder model = relu_model({"N", 3, "H", "H"});
  const auto with = [](const std::string& name, const ir::Shape& shape) {
    return frontend::ImportOptions{.dims = {}, .input_shapes = {{name, shape}}, .outputs = {}};
  };
  EXPECT_EQ(import_of(model, with("x", {2, 3, 7, 7})).graph.type(ir::ValueId{0}).shape, (ir::Shape{2, 3, 7, 7}));
  EXPECT_EQ(import_of(model, with("other", {2, 3, 7, 7})).graph.type(ir::ValueId{0}).shape, (ir::Shape{2, 3, 7, 7}));
  EXPECT_THAT(import_error(model, with("x", {2, 3, 7, 8})), HasSubstr("dim 'H' is both 7 and 8"));
  EXPECT_THAT(import_error(model, with("x", {2, 4, 7, 7})), HasSubstr("input 'x' is [N,3,H,H], not [2,4,7,7]"));
  EXPECT_THAT(import_error(model, with("x", {2, 3, 7})), HasSubstr("not [2,3,7]"));
}

TEST(ImportGraph, RefusesDimsThatFitNothing) {
  const auto with = [](const std::string& name, std::int64_t extent) {
    return frontend::ImportOptions{.dims = {{name, extent}}, .input_shapes = {}, .outputs = {}};
  };
  EXPECT_THAT(import_error(relu_model({"N", 3}), with("M", 2)), HasSubstr("there is no dim 'M', only N"));
  EXPECT_THAT(import_error(relu_model({2, 3}), with("M", 2)), HasSubstr("every extent is fixed"));
  EXPECT_THAT(import_error(relu_model({"N", 3}), with("N", 0)), HasSubstr("dim 'N' cannot be 0"));
  EXPECT_THAT(import_error(relu_model({"N", 3}), with("N", std::int64_t{1} << 40)), HasSubstr("cannot be"));
}

TEST(ImportGraph, RefusesOpsetsDomainsAndOperatorsItDoesNotKnow) {
  const auto with_opset = [](std::int64_t opset) {
    ModelBuilder model(opset);
    model.input("x", {2}).output("y");
    model.node("Relu", {"x"}, {"y"}).name("r");
    return import_error(model);
  };
  EXPECT_EQ(with_opset(3), "");
  EXPECT_EQ(with_opset(22), "");
  EXPECT_THAT(with_opset(99), HasSubstr("opset 99 is not supported, only 3 to 23"));
  EXPECT_THAT(with_opset(0), HasSubstr("opset 0 is not supported"));
  EXPECT_THAT(with_opset(2), HasSubstr("node 'r' (Relu, opset 2): the operator is supported in opset 3 to 23 only"));
  ModelBuilder domain = relu_model({2});
  domain.node("Relu", {"x"}, {"z"}).domain("org.example").name("odd");
  domain.output("z");
  EXPECT_THAT(import_error(domain), HasSubstr("imports no opset of domain 'org.example'"));
  domain.opset("org.example", 1);
  EXPECT_THAT(import_error(domain),
              HasSubstr("node 'odd' (org.example.Relu, opset 1): domain 'org.example' is not supported"));
  ModelBuilder old_round(10);
  old_round.input("x", {2}).output("y");
  old_round.node("Round", {"x"}, {"y"});
  EXPECT_THAT(import_error(old_round), HasSubstr("supported in opset 11 to 23 only"));
}

TEST(ImportGraph, UnusedDomainsAndNewerIrVersionsAreHarmless) {
  ModelBuilder model = relu_model({2});
  model.opset("com.microsoft.nchwc", 1).opset("ai.onnx.ml", 3);
  model.proto().set_ir_version(42);
  EXPECT_EQ(import_error(model), "");
}

// Adds function `name` of domain "local": inputs a, output b, one node of `op_type` with an attribute taken from the
// call.
void add_function(ModelBuilder& model, const std::string& name, const std::string& op_type, const std::string& domain) {
  onnx::FunctionProto* function = model.proto().add_functions();
  function->set_domain("local");
  function->set_name(name);
  function->add_input("a");
  function->add_output("b");
  onnx::NodeProto* first = function->add_node();
  first->set_op_type(op_type);
  first->set_domain(domain);
  first->add_input("a");
  first->add_output("inside");
  onnx::AttributeProto* attribute = first->add_attribute();
  attribute->set_name("alpha");
  attribute->set_ref_attr_name("slope");
  attribute->set_type(onnx::AttributeProto::FLOAT);
  onnx::NodeProto* second = function->add_node();
  second->set_op_type("Neg");
  second->add_input("inside");
  second->add_output("b");
}

TEST(ImportGraph, TheModelsOwnFunctionsAreInlined) {
  ModelBuilder model(13);
  model.opset("local", 1).input("x", {2}).output("y").output("z");
  add_function(model, "NegLeaky", "LeakyRelu", "");
  model.node("NegLeaky", {"x"}, {"y"}).domain("local").name("one").set("slope", 0.5F);
  model.node("NegLeaky", {"y"}, {"z"}).domain("local").name("one");
  const std::vector<ir::Array> outputs = run(model, {{{2}, {-4, 6}}});
  EXPECT_THAT(outputs[0].data, ElementsAre(2, -6));
  EXPECT_THAT(outputs[1].data, ElementsAre(-2, testing::DoubleNear(0.06, 1e-8)))
      << "without the attribute: its default";
}

TEST(ImportGraph, FunctionsMayHaveDefaultsForAttributes) {
  ModelBuilder model(13);
  model.opset("local", 1).input("x", {2}).output("y");
  add_function(model, "NegLeaky", "LeakyRelu", "");
  onnx::AttributeProto slope;
  slope.set_name("slope");
  slope.set_type(onnx::AttributeProto::FLOAT);
  slope.set_f(0.25F);
  onnx::FunctionProto* function = model.proto().mutable_functions(0);
  const std::string bytes = slope.SerializeAsString();  // as field 11, which old libraries do not know
  ASSERT_TRUE(function->MergeFromString("\x5a" + std::string(1, static_cast<char>(bytes.size())) + bytes));
  model.node("NegLeaky", {"x"}, {"y"}).domain("local");
  EXPECT_THAT(run(model, {{{2}, {-4, 6}}})[0].data, ElementsAre(1, -6));
}

TEST(ImportGraph, FunctionsThatCallThemselvesAreRefused) {
  ModelBuilder model(13);
  model.opset("local", 1).input("x", {2}).output("y");
  add_function(model, "Again", "Again", "local");
  model.node("Again", {"x"}, {"y"}).domain("local").name("f");
  EXPECT_THAT(import_error(model), HasSubstr("is a function whose calls have no end"));
}

TEST(ImportGraph, ErrorsOfTypesNameTheNode) {
  ModelBuilder model(13);
  model.input("x", {2, 3}).input("z", {2, 4}).output("y");
  model.node("Add", {"x", "z"}, {"y"}).name("sum");
  EXPECT_THAT(import_error(model), HasSubstr("node 'sum' (Add, opset 13): shapes [2,3] and [2,4] do not broadcast"));
  ModelBuilder integers(13);
  integers.input("x", {2}, onnx::TensorProto::INT64).output("y");
  integers.node("Sigmoid", {"x"}, {"y"}).name("s");
  EXPECT_THAT(import_error(integers), HasSubstr("node 's' (Sigmoid, opset 13): takes floating point, not i64[2]"));
}

TEST(ImportGraph, OutputsThatAreNotMadeAreRefusedWhereTheyAreRead) {
  ModelBuilder model(12);
  model.input("x", {1, 1, 4, 4}).output("y");
  model.node("MaxPool", {"x"}, {"y", "where"}).set("kernel_shape", Integers{2, 2}).name("pool");
  EXPECT_EQ(import_error(model), "");
  model.output("where");
  EXPECT_THAT(import_error(model), HasSubstr("node 'pool' (MaxPool, opset 12): output 'Indices' is not supported"));
}

TEST(ImportGraph, ReportsElementTypesOfPorts) {
  ModelBuilder model(13);
  model.input("x", {2}, onnx::TensorProto::FLOAT16).output("y");
  model.node("Relu", {"x"}, {"y"});
  model.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT16);
  const frontend::Imported imported = import_of(model);
  EXPECT_EQ(imported.inputs[0].onnx_type, "float16");
  EXPECT_EQ(imported.outputs[0].onnx_type, "float16");
  EXPECT_EQ(imported.graph.type(imported.graph.inputs()[0]).dtype, ir::DataType::f32);
  EXPECT_NE(imported.model_hash, 0U);
}

}  // namespace
}  // namespace deeper::import_tests
