// Initializers in every element type and every way to store them, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "frontend/tensor_file.h"
#include "ir/error.h"
#include "tests/unit/import_support.h"

namespace deeper::import_tests {
namespace {

namespace fs = std::filesystem;
using onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;

ModelBuilder constant_model(TensorProto tensor) {
  ModelBuilder model(13);
  model.input("x", {1}).output("c");
  model.tensor("c", std::move(tensor));
  return model;
}

std::vector<double> decoded(TensorProto tensor) {
  return run(constant_model(std::move(tensor)), {ramp({1}, 0, 0)})[0].data;
}

std::string refusal(TensorProto tensor) { return import_error(constant_model(std::move(tensor))); }

TensorProto empty_tensor(std::int32_t type, const Integers& shape) {
  TensorProto tensor;
  tensor.set_data_type(type);
  tensor.mutable_dims()->Add(shape.begin(), shape.end());
  return tensor;
}

template <typename T>
TensorProto raw_tensor(std::int32_t type, const std::vector<T>& values) {
  TensorProto tensor = empty_tensor(type, {static_cast<std::int64_t>(values.size())});
  tensor.set_raw_data(values.data(), values.size() * sizeof(T));
  return tensor;
}

TEST(ImportTensor, RawDataOfEveryType) {
  EXPECT_THAT(decoded(raw_tensor<float>(TensorProto::FLOAT, {1.5F, -2})), ElementsAre(1.5, -2));
  EXPECT_THAT(decoded(raw_tensor<double>(TensorProto::DOUBLE, {0.1, -2})), ElementsAre(static_cast<double>(0.1F), -2));
  EXPECT_THAT(decoded(raw_tensor<std::uint16_t>(TensorProto::FLOAT16, {0x3e00, 0xc000, 0x0001})),
              ElementsAre(1.5, -2, 0x1p-24));
  EXPECT_THAT(decoded(raw_tensor<std::uint16_t>(TensorProto::BFLOAT16, {0x3fc0, 0xc000})), ElementsAre(1.5, -2));
  EXPECT_THAT(decoded(raw_tensor<std::int64_t>(TensorProto::INT64, {-5, 1LL << 40})),
              ElementsAre(-5, static_cast<double>(1LL << 40)));
  EXPECT_THAT(decoded(raw_tensor<std::int32_t>(TensorProto::INT32, {-5, 6})), ElementsAre(-5, 6));
  EXPECT_THAT(decoded(raw_tensor<std::int16_t>(TensorProto::INT16, {-5, 6})), ElementsAre(-5, 6));
  EXPECT_THAT(decoded(raw_tensor<std::uint16_t>(TensorProto::UINT16, {65535, 6})), ElementsAre(65535, 6));
  EXPECT_THAT(decoded(raw_tensor<std::int8_t>(TensorProto::INT8, {-128, 6})), ElementsAre(-128, 6));
  EXPECT_THAT(decoded(raw_tensor<std::uint8_t>(TensorProto::UINT8, {255, 6})), ElementsAre(255, 6));
  EXPECT_THAT(decoded(raw_tensor<std::uint8_t>(TensorProto::BOOL, {0, 2})), ElementsAre(0, 1));
  EXPECT_THAT(decoded(raw_tensor<std::uint32_t>(TensorProto::UINT32, {4000000000U})), ElementsAre(4e9));
}

TEST(ImportTensor, TypedFields) {
  EXPECT_THAT(decoded(float_tensor({2}, {1.5F, -2})), ElementsAre(1.5, -2));
  EXPECT_THAT(decoded(integer_tensor({2}, {-1, 7}, TensorProto::INT64)), ElementsAre(-1, 7));
  EXPECT_THAT(decoded(integer_tensor({2}, {-1, 7}, TensorProto::INT32)), ElementsAre(-1, 7));
  EXPECT_THAT(decoded(integer_tensor({2}, {-1, 7}, TensorProto::INT8)), ElementsAre(-1, 7));
  EXPECT_THAT(decoded(integer_tensor({2}, {200, 7}, TensorProto::UINT8)), ElementsAre(200, 7));
  EXPECT_THAT(decoded(integer_tensor({2}, {0, 1}, TensorProto::BOOL)), ElementsAre(0, 1));
  EXPECT_THAT(decoded(integer_tensor({2}, {0x3e00, 0xc000}, TensorProto::FLOAT16)), ElementsAre(1.5, -2));
  EXPECT_THAT(decoded(integer_tensor({1}, {0x3fc0}, TensorProto::BFLOAT16)), ElementsAre(1.5));
  TensorProto doubles = empty_tensor(TensorProto::DOUBLE, {1});
  doubles.add_double_data(2.5);
  EXPECT_THAT(decoded(doubles), ElementsAre(2.5));
  TensorProto large = empty_tensor(TensorProto::UINT64, {1});
  large.add_uint64_data(std::numeric_limits<std::uint64_t>::max());
  EXPECT_THAT(refusal(large), HasSubstr("beyond 64-bit signed integers"));
}

TEST(ImportTensor, DataMustBeWhatTheShapeTakes) {
  TensorProto scalar = float_tensor({}, Floats(9408, 1.0F));
  EXPECT_THAT(refusal(scalar), HasSubstr("initializer 'c': holds 9408 elements, the shape [] of float takes 1"));
  TensorProto short_raw = raw_tensor<float>(TensorProto::FLOAT, {1, 2});
  short_raw.set_dims(0, 3);
  EXPECT_THAT(refusal(short_raw), HasSubstr("holds 8 bytes, the shape [3] of float takes 12"));
  EXPECT_THAT(refusal(empty_tensor(TensorProto::FLOAT, {2})), HasSubstr("holds 0 elements"));
}

TEST(ImportTensor, HostileShapesAreRefusedBeforeAnythingIsAllocated) {
  EXPECT_THAT(refusal(empty_tensor(TensorProto::FLOAT, {std::int64_t{1} << 40})), HasSubstr("larger than"));
  EXPECT_THAT(refusal(empty_tensor(TensorProto::FLOAT, {std::int64_t{1} << 32, std::int64_t{1} << 32})),
              HasSubstr("no element count that fits"));
  EXPECT_THAT(refusal(empty_tensor(TensorProto::FLOAT, {0, std::int64_t{1} << 60})), HasSubstr("larger than"));
  EXPECT_THAT(refusal(empty_tensor(TensorProto::FLOAT, {-1})), HasSubstr("no element count that fits"));
}

TEST(ImportTensor, RefusesTypesItDoesNotKnow) {
  EXPECT_THAT(refusal(empty_tensor(TensorProto::STRING, {0})), HasSubstr("element type string, not supported"));
  EXPECT_THAT(refusal(empty_tensor(TensorProto::COMPLEX64, {0})), HasSubstr("element type complex64"));
  EXPECT_THAT(refusal(empty_tensor(17, {0})), HasSubstr("element type float8e4m3fn"));
  EXPECT_THAT(refusal(empty_tensor(99, {0})), HasSubstr("element type type 99"));
}

onnx::SparseTensorProto sparse_tensor(const Integers& indices_shape, const Integers& indices) {
  onnx::SparseTensorProto sparse;
  *sparse.mutable_values() = float_tensor({2}, {5, 7});
  sparse.mutable_values()->set_name("c");
  *sparse.mutable_indices() = integer_tensor(indices_shape, indices, TensorProto::INT64);
  sparse.add_dims(2);
  sparse.add_dims(3);
  return sparse;
}

TEST(ImportTensor, SparseInitializersBecomeDense) {
  const auto with = [](const Integers& indices_shape, const Integers& indices) {
    ModelBuilder model(13);
    model.input("x", {1}).output("c");
    *model.graph().add_sparse_initializer() = sparse_tensor(indices_shape, indices);
    return model;
  };
  EXPECT_THAT(run(with({2}, {1, 5}), {ramp({1}, 0, 0)})[0].data, ElementsAre(0, 5, 0, 0, 0, 7));
  EXPECT_THAT(run(with({2, 2}, {0, 1, 1, 2}), {ramp({1}, 0, 0)})[0].data, ElementsAre(0, 5, 0, 0, 0, 7));
  EXPECT_THAT(import_error(with({2}, {1, 6})), HasSubstr("has an index 6 outside"));
  EXPECT_THAT(import_error(with({2, 2}, {0, 1, 1, -1})), HasSubstr("has an index -1 outside"));
  EXPECT_THAT(import_error(with({1}, {1})), HasSubstr("has indices i64[1] for 2 values"));
}

// --- external data ---

class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder_.path() / "model");
    std::ofstream file(folder_.path() / "model/w.data", std::ios::binary);
    const std::vector<float> values = {9, 9, 1, 2};
    file.write(reinterpret_cast<const char*>(values.data()), 16);
    std::ofstream(folder_.path() / "secret") << "0123456789abcdef";
  }

  std::string import_with(const std::map<std::string, std::string>& entries) {
    TensorProto tensor = empty_tensor(TensorProto::FLOAT, {2});
    tensor.set_name("c");
    tensor.set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      onnx::StringStringEntryProto* entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    const ModelBuilder model = constant_model(tensor);
    const fs::path path = folder_.path() / "model/m.onnx";
    std::ofstream file(path, std::ios::binary);
    ModelBuilder(model).proto().SerializeToOstream(&file);
    file.close();
    try {
      values_ = ir::evaluate(frontend::import_onnx(path, {}), std::vector{ramp({1}, 0, 0)})[0].data;
      return {};
    } catch (const ModelError& error) {
      return error.what();
    }
  }

  TempFolder folder_;
  std::vector<double> values_;
};

TEST_F(ExternalData, IsReadFromItsOffset) {
  EXPECT_EQ(import_with({{"location", "w.data"}, {"offset", "8"}, {"length", "8"}}), "");
  EXPECT_THAT(values_, ElementsAre(1, 2));
  EXPECT_EQ(import_with({{"location", "./w.data"}}), "");
  EXPECT_THAT(values_, ElementsAre(9, 9));
}

TEST_F(ExternalData, OffsetAndLengthAreHeldAgainstTheFile) {
  EXPECT_THAT(import_with({{"location", "w.data"}, {"offset", "12"}}), HasSubstr("has 16 bytes, too few"));
  EXPECT_THAT(import_with({{"location", "w.data"}, {"offset", "18446744073709551615"}}), HasSubstr("too few"));
  EXPECT_THAT(import_with({{"location", "w.data"}, {"offset", "-4"}}), HasSubstr("offset '-4', not a number"));
  EXPECT_THAT(import_with({{"location", "w.data"}, {"offset", "99999999999999999999"}}), HasSubstr("not a number"));
  EXPECT_THAT(import_with({{"location", "w.data"}, {"length", "16"}}), HasSubstr("gives 16 bytes, the shape takes 8"));
  EXPECT_THAT(import_with({{"location", "none.data"}}), HasSubstr("cannot be read"));
  EXPECT_THAT(import_with({{"location", "."}}), HasSubstr("is not a file"));
  EXPECT_THAT(import_with({}), HasSubstr("has no location"));
}

TEST_F(ExternalData, StaysInTheModelsFolder) {
  EXPECT_THAT(import_with({{"location", "../secret"}}), HasSubstr("not inside the model's folder"));
  EXPECT_THAT(import_with({{"location", "a/../../secret"}}), HasSubstr("not inside the model's folder"));
  EXPECT_THAT(import_with({{"location", (folder_.path() / "secret").string()}}),
              HasSubstr("not inside the model's folder"));
  fs::create_symlink(folder_.path() / "secret", folder_.path() / "model/link.data");
  EXPECT_THAT(import_with({{"location", "link.data"}}), HasSubstr("a link out of the model's folder"));
  fs::create_symlink(folder_.path(), folder_.path() / "model/up");
  EXPECT_THAT(import_with({{"location", "up/secret"}}), HasSubstr("a link out of the model's folder"));
  fs::create_directory(folder_.path() / "modeling");
  std::ofstream(folder_.path() / "modeling/w.data") << "0123456789abcdef";
  fs::create_symlink(folder_.path() / "modeling", folder_.path() / "model/near");
  EXPECT_THAT(import_with({{"location", "near/w.data"}}), HasSubstr("a link out of the model's folder"));
}

TEST(TensorFile, IsReadOrRefused) {
  const TempFolder folder;
  TensorProto tensor = float_tensor({2}, {3, 4});
  tensor.set_name("x");
  const auto write = [&](const std::string& bytes) {
    std::ofstream(folder.path() / "t.pb", std::ios::binary) << bytes;
    return folder.path() / "t.pb";
  };
  const std::string bytes = tensor.SerializeAsString();
  const frontend::TensorFile file = frontend::read_tensor_file(write(bytes));
  EXPECT_EQ(file.name, "x");
  EXPECT_THAT(file.tensor.floats(), ElementsAre(3, 4));
  EXPECT_THROW(frontend::read_tensor_file(write(bytes.substr(0, 7))), ModelError);
  EXPECT_THROW(frontend::read_tensor_file(write("")), ModelError);
  EXPECT_THROW(frontend::read_tensor_file(folder.path() / "none.pb"), ModelError);
}

}  // namespace
}  // namespace deeper::import_tests
