#include "runtime/hazards.h"

#include <gtest/gtest.h>

namespace deeper::runtime {
namespace {

// Channels [first, first + count) of an image of 5 x 7 pixels with `all` channels.
Operand slice(std::int64_t first, std::int64_t count, std::int64_t all, std::uint64_t base = 0) {
  Operand operand{.space = Space::arena,
                  .offset = base + static_cast<std::uint64_t>(first) * sizeof(float),
                  .bytes = static_cast<std::uint64_t>(34 * all + count) * sizeof(float),
                  .shape = {1, count, 5, 7},
                  .strides = {35 * all, 1, 7 * all, all}};
  return operand;
}

bool may_overlap(const Operand& a, const Operand& b) {
  return may_overlap(region_of(a, 0, a.offset), region_of(b, 0, b.offset));
}

Step step(std::vector<Operand> operands, Operand result) {
  Step made;
  made.operands = std::move(operands);
  made.result = std::move(result);
  return made;
}

bool depend(const Step& a, const Step& b) { return depend(accesses_of(a, 0), accesses_of(b, 0)); }

TEST(Hazards, SlicesOfABufferAreApart) {
  EXPECT_FALSE(may_overlap(slice(0, 16, 64), slice(16, 48, 64)));
  EXPECT_FALSE(may_overlap(slice(16, 48, 64), slice(0, 16, 64)));
  EXPECT_TRUE(may_overlap(slice(0, 17, 64), slice(16, 48, 64)));
  EXPECT_TRUE(may_overlap(slice(16, 48, 64), slice(0, 17, 64)));
  EXPECT_TRUE(may_overlap(slice(16, 8, 64), slice(0, 64, 64)));
  EXPECT_TRUE(may_overlap(slice(16, 8, 64), slice(16, 8, 64)));
}

TEST(Hazards, SlicesFromOtherPixelsOnAreApartToo) {
  const std::uint64_t pixel = 64 * sizeof(float);
  EXPECT_FALSE(may_overlap(slice(0, 16, 64, 3 * pixel), slice(16, 8, 64)));
  EXPECT_FALSE(may_overlap(slice(16, 8, 64), slice(0, 16, 64, 3 * pixel)));
  EXPECT_TRUE(may_overlap(slice(8, 16, 64, 3 * pixel), slice(16, 8, 64)));
  EXPECT_TRUE(may_overlap(slice(60, 4, 64, 3 * pixel + 8), slice(0, 2, 64))) << "goes on in the next pixel";
}

TEST(Hazards, OtherLayoutsOverlapWhereTheirExtentsDo) {
  EXPECT_TRUE(may_overlap(slice(0, 16, 64), slice(16, 16, 32)));
  EXPECT_FALSE(may_overlap(slice(0, 16, 64), slice(0, 16, 32, std::uint64_t{35} * 64 * sizeof(float))));
  Operand vector{.space = Space::arena, .offset = 64, .bytes = 64, .shape = {16}, .strides = {1}};
  EXPECT_TRUE(may_overlap(vector, slice(0, 8, 64)));
  vector.offset = std::uint64_t{1} << 20U;
  EXPECT_FALSE(may_overlap(vector, slice(0, 8, 64)));
}

TEST(Hazards, OrderMattersToWhatIsWritten) {
  const Operand x = slice(0, 64, 64, 1 << 20);
  const Operand a = slice(0, 16, 64);
  const Operand b = slice(16, 16, 64);
  EXPECT_FALSE(depend(step({x}, a), step({x}, b))) << "both read the same";
  EXPECT_TRUE(depend(step({x}, a), step({a}, b))) << "reads what was written";
  EXPECT_TRUE(depend(step({a}, x), step({b}, a))) << "overwrites what is read";
  EXPECT_TRUE(depend(step({x}, a), step({b}, a))) << "overwrites what was written";
}

TEST(Hazards, WeightsAndOtherSpacesAreApart) {
  const Operand x = slice(0, 64, 64, 1 << 20);
  Operand weights = slice(0, 16, 64);
  weights.space = Space::weights;
  Operand output = slice(0, 16, 64);
  output.space = Space::output;
  EXPECT_FALSE(depend(step({x}, slice(0, 16, 64)), step({weights}, slice(16, 16, 64))));
  EXPECT_FALSE(depend(step({x}, slice(0, 16, 64)), step({x}, output)));
  EXPECT_TRUE(depend(step({x}, output), step({output}, slice(0, 16, 64))));
  Operand other = output;
  other.port = 1;
  EXPECT_FALSE(depend(step({x}, output), step({x}, other)));
}

TEST(Hazards, AnImageLiesWhereThereIsRoomForIt) {
  Operand operand = slice(0, 16, 64);
  operand.advance = 1 << 16;
  operand.images = 2;
  EXPECT_EQ(offset_of(operand, 0), 0U);
  EXPECT_EQ(offset_of(operand, 1), 65536U);
  EXPECT_EQ(offset_of(operand, 4), 0U);
  EXPECT_EQ(accesses_of(step({operand}, operand), 3).write.begin, 65536U);
}

}  // namespace
}  // namespace deeper::runtime
