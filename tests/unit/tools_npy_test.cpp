#include <gtest/gtest.h>

#include <cmath>

#include "ir/error.h"
#include "ir/half.h"
#include "tests/cli/command.h"
#include "tools/compare.h"
#include "tools/files.h"
#include "tools/npy.h"

namespace deeper::tools {
namespace {

// A version 1 file with this header text and data.
std::string npy(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  return bytes + header + data;
}

class Npy : public ::testing::Test {
 protected:
  NpyArray read(const std::string& bytes) {
    write_file(folder_ / "a.npy", bytes);
    return read_npy(folder_ / "a.npy");
  }
  tests::TemporaryFolder folder_;
};

TEST_F(Npy, WritesWhatItReads) {
  const std::vector<float> data = {0.5F, -1.25F, 3e-9F, 4, 5, INFINITY};
  write_npy(folder_ / "b.npy", {2, 3}, data);
  const NpyArray array = read_npy(folder_ / "b.npy");
  EXPECT_EQ(array.shape, (ir::Shape{2, 3}));
  EXPECT_EQ(array.data, std::vector<double>(data.begin(), data.end()));
}

TEST_F(Npy, ScalarAndVectorShapes) {
  write_npy(folder_ / "s.npy", {}, std::vector<float>{7});
  EXPECT_EQ(read_npy(folder_ / "s.npy").shape, ir::Shape{});
  write_npy(folder_ / "v.npy", {4}, std::vector<float>(4));
  EXPECT_EQ(read_npy(folder_ / "v.npy").shape, ir::Shape{4});
}

TEST_F(Npy, FortranOrderIsTurned) {
  const NpyArray array =
      read(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", std::string("\1\4\2\5\3\6", 6)));
  EXPECT_EQ(array.data, (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST_F(Npy, EveryNumericType) {
  EXPECT_EQ(read(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }",
                     std::string("\xfe\xff\xff\xff\xff\xff\xff\xff", 8)))
                .data[0],
            -2);
  EXPECT_EQ(read(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (1,), }", std::string("\x01\x02", 2))).data[0],
            258);
  EXPECT_EQ(read(npy("{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }", std::string("\x00\x3e", 2))).data[0],
            1.5);
  EXPECT_EQ(read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", std::string("\0\1", 2))).data[1], 1);
}

TEST_F(Npy, HostileFilesAreRefused) {
  EXPECT_THROW(read("\x93NUMPY"), ModelError);
  EXPECT_THROW(read(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "x")), ModelError);
  EXPECT_THROW(read(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234")), ModelError);
  EXPECT_THROW(read(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "1234")),
               ModelError);
  EXPECT_THROW(read(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "1234")),
               ModelError);
  EXPECT_THROW(read(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12)), ModelError);
  EXPECT_THROW(read_npy(folder_ / "absent.npy"), ModelError);
}

TEST(Half, RoundTripsEveryFiniteValue) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const float value = ir::half_to_float(static_cast<std::uint16_t>(bits));
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(ir::round_to_half(value), value) << bits;
  }
  EXPECT_EQ(ir::round_to_half(1.0F + 0x1p-11F), 1.0F);  // a tie goes to even
  EXPECT_EQ(ir::round_to_half(1.0F + 3 * 0x1p-11F), 1.0F + 0x1p-9F);
  EXPECT_TRUE(std::isinf(ir::round_to_half(65520.0F)));
}

TEST(Compare, RelativeL2) {
  const std::vector<double> a = {3, 4};
  EXPECT_EQ(relative_l2(a, a), 0);
  EXPECT_DOUBLE_EQ(relative_l2(std::vector<double>{3, 4.5}, a), 0.1);
  EXPECT_TRUE(std::isinf(relative_l2(std::vector<double>{3, NAN}, a)));
}

}  // namespace
}  // namespace deeper::tools
