// Files that are broken or made to break the reader: each gives a ModelError of one line, never anything else.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "ir/error.h"
#include "tests/unit/import_support.h"

namespace deeper::import_tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A small model with a bit of everything.
ModelBuilder small_model() {
  ModelBuilder model(13);
  model.input("x", {"N", 2, 6, 6}).output("y");
  model.constant("w", {3, 2, 3, 3}, Floats(54, 0.5F)).constant("b", {3}, {1, 2, 3});
  model.node("Conv", {"x", "w", "b"}, {"c"}).set("pads", Integers{1, 1, 1, 1}).set("auto_pad", "NOTSET");
  model.node("MaxPool", {"c"}, {"p"}).set("kernel_shape", Integers{2, 2}).set("strides", Integers{2, 2});
  model.node("Shape", {"p"}, {"s"});
  model.integers("zero", {0}).integers("tail", {-1});
  model.node("Gather", {"s", "zero"}, {"n"});
  model.node("Concat", {"n", "tail"}, {"shape"}).set("axis", 0);
  model.node("Reshape", {"p", "shape"}, {"flat"});
  model.node("Softmax", {"flat"}, {"y"}).set("axis", 1);
  return model;
}

// Imports bytes as a file. Fails the test for any exception but a ModelError of one line.
bool import_bytes(const TempFolder& folder, const std::string& bytes) {
  const fs::path path = folder.path() / "m.onnx";
  fs::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    frontend::import_model(path, {});
    return true;
  } catch (const ModelError& error) {
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    return false;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not a ModelError: " << error.what();
    return false;
  }
}

TEST(ImportHostile, TheSmallModelImports) { EXPECT_EQ(import_error(small_model()), ""); }

TEST(ImportHostile, TruncatedAtEveryLength) {
  const TempFolder folder;
  const std::string bytes = small_model().proto().SerializeAsString();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(import_bytes(folder, bytes.substr(0, length)) && length < bytes.size() - 8) << length;
  }
}

TEST(ImportHostile, WithBytesChanged) {
  const TempFolder folder;
  const std::string bytes = small_model().proto().SerializeAsString();
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string changed = bytes;
    for (std::uint32_t k = random() % 4 + 1; k > 0; --k)
      changed[random() % changed.size()] = static_cast<char>(random());
    import_bytes(folder, changed);
  }
}

TEST(ImportHostile, FilesThatAreNoModels) {
  const TempFolder folder;
  EXPECT_FALSE(import_bytes(folder, "this is not a model\n"));
  EXPECT_FALSE(import_bytes(folder, std::string(1000, '\0')));
  EXPECT_THROW(frontend::import_model(folder.path(), {}), ModelError) << "a folder";
  EXPECT_THROW(frontend::import_model(folder.path() / "none.onnx", {}), ModelError);
  onnx::ModelProto no_graph;
  no_graph.set_ir_version(8);
  EXPECT_FALSE(import_bytes(folder, no_graph.SerializeAsString()));
}

TEST(ImportHostile, NamesDoNotBreakTheLine) {
  ModelBuilder model(13);
  model.input("x", {2}).output("y");
  model.node("No\nSuch", {"x"}, {"y"}).name("two\nlines");
  EXPECT_THAT(import_error(model), HasSubstr("node 'two?lines' (No?Such, opset 13)"));
}

TEST(ImportHostile, HugeConstants) {
  ModelBuilder model(13);
  model.input("x", {1}).output("y");
  model.integers("shape", {1000, 1000, 1000});
  model.node("ConstantOfShape", {"shape"}, {"c"}).name("big");
  model.node("Add", {"x", "c"}, {"y"});
  EXPECT_THAT(import_error(model),
              HasSubstr("node 'big' (ConstantOfShape, opset 13): the shape [1000,1000,1000] is larger"));
}

TEST(ImportHostile, HugeResultsOfSmallOperands) {
  const auto with = [](const std::string& op, const Integers& operand) {
    ModelBuilder model(13);
    model.input("x", {1, 1, 2, 2}).output("y").integers("operand", operand);
    model.node(op, {"x", "operand"}, {"y"});
    return import_error(model);
  };
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_NE(with("Expand", {huge, 1, 2, 2}), "");
  EXPECT_NE(with("Expand", {1 << 20, 1 << 20, 2, 2}), "");
  EXPECT_NE(with("Tile", {1 << 20, 1 << 20, 1, 1}), "");
  EXPECT_NE(with("Tile", {huge, huge, huge, huge}), "");
  EXPECT_NE(with("Pad", {0, 0, 0, 0, huge, huge, huge, huge}), "");
  EXPECT_NE(with("Pad", {0, 0, 0, 0, 1 << 20, 1 << 20, 0, 0}), "");
  EXPECT_NE(with("Reshape", {huge, huge, -1, 4}), "");
  EXPECT_NE(with("Reshape", {-1, -1, 2, 2}), "");
  EXPECT_NE(with("Reshape", {-2, 2, 2, 1}), "");
  EXPECT_NE(with("Unsqueeze", Integers(100, 0)), "");
  EXPECT_NE(with("Squeeze", {std::numeric_limits<std::int64_t>::min()}), "");
}

TEST(ImportHostile, HugeAttributes) {
  const auto with = [](const std::string& op, const std::string& attribute, const Integers& value) {
    ModelBuilder model(11);
    model.input("x", {1, 1, 4, 4}).output("y");
    NodeBuilder node = model.node(op, {"x"}, {"y"});
    node.set(attribute, value);
    if (attribute != "kernel_shape") node.set("kernel_shape", Integers{2, 2});
    return import_error(model);
  };
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  for (const char* op : {"MaxPool", "AveragePool"}) {
    EXPECT_NE(with(op, "kernel_shape", {huge, 2}), "");
    EXPECT_NE(with(op, "kernel_shape", {0, 2}), "");
    EXPECT_NE(with(op, "kernel_shape", {2}), "");
    EXPECT_NE(with(op, "strides", {0, 1}), "");
    EXPECT_NE(with(op, "strides", {-1, 1}), "");
    EXPECT_NE(with(op, "pads", {huge, huge, huge, huge}), "");
    EXPECT_NE(with(op, "pads", {-1, 0, 0, 0}), "");
    EXPECT_NE(with(op, "pads", {1, 1}), "");
    EXPECT_NE(with(op, "dilations", {huge, huge}), "");
  }
}

TEST(ImportHostile, RangesWithoutEnd) {
  const auto range = [](std::int64_t start, std::int64_t limit, std::int64_t delta) {
    ModelBuilder model(13);
    model.input("x", {1}).output("y");
    model.tensor("s", integer_tensor({}, {start}, onnx::TensorProto::INT64));
    model.tensor("l", integer_tensor({}, {limit}, onnx::TensorProto::INT64));
    model.tensor("d", integer_tensor({}, {delta}, onnx::TensorProto::INT64));
    model.node("Range", {"s", "l", "d"}, {"y"});
    return import_error(model);
  };
  EXPECT_EQ(range(0, 10, 3), "");
  EXPECT_EQ(range(10, 0, 3), "");
  EXPECT_THAT(range(0, 10, 0), HasSubstr("too many elements"));
  EXPECT_THAT(range(0, std::int64_t{1} << 40, 1), HasSubstr("too many elements"));
}

TEST(ImportHostile, LongChainsDoNotExhaustTheStack) {
  ModelBuilder model(13);
  model.input("x", {1}).output("v20000");
  const auto name = [](int i) { return i == 0 ? std::string("x") : fmt::format("v{}", i); };
  for (int i = 20000; i > 0; --i) model.node("Neg", {name(i - 1)}, {name(i)});
  const TempFolder folder;
  EXPECT_EQ(frontend::import_onnx(model.save(folder), {}).order().size(), 20000U);
}

TEST(ImportHostile, AttributesOfTheWrongType) {
  ModelBuilder model(13);
  model.input("x", {1, 4}).output("y");
  model.node("Softmax", {"x"}, {"y"}).set("axis", "one").name("s");
  EXPECT_THAT(import_error(model),
              HasSubstr("node 's' (Softmax, opset 13): attribute 'axis' is a text, must be an integer"));
}

}  // namespace
}  // namespace deeper::import_tests
