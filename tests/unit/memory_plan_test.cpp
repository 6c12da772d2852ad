#include "backend/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace deeper::backend {
namespace {

bool live_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

void expect_sound(const std::vector<Lifetime>& lifetimes, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), lifetimes.size());
  EXPECT_LE(plan.lower_bound, plan.bytes);
  for (std::size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % 64, 0U);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (!live_together(lifetimes[i], lifetimes[j])) continue;
      EXPECT_TRUE(plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] ||
                  plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i])
          << i << " and " << j << " overlap";
    }
  }
}

TEST(MemoryPlan, PlacesNothing) {
  const MemoryPlan plan = plan_memory({});
  EXPECT_EQ(plan.bytes, 0U);
  EXPECT_EQ(plan.lower_bound, 0U);
}

TEST(MemoryPlan, SharesMemoryBetweenBlocksThatNeverMeet) {
  const std::vector<Lifetime> lifetimes = {{640, 0, 1}, {64, 1, 2}, {640, 2, 3}};
  const MemoryPlan plan = plan_memory(lifetimes);
  expect_sound(lifetimes, plan);
  EXPECT_EQ(plan.bytes, 704U);
  EXPECT_EQ(plan.lower_bound, 704U);
}

TEST(MemoryPlan, KeepsABlockApartFromAllThatLiveWithinIt) {
  const std::vector<Lifetime> lifetimes = {{128, 0, 9}, {64, 1, 1}, {64, 2, 2}, {64, 9, 9}};
  const MemoryPlan plan = plan_memory(lifetimes);
  expect_sound(lifetimes, plan);
  EXPECT_EQ(plan.bytes, 192U);
}

TEST(MemoryPlan, AlignsBlocksOfOddSize) {
  const std::vector<Lifetime> lifetimes = {{1, 0, 0}, {65, 0, 0}, {0, 0, 5}};
  const MemoryPlan plan = plan_memory(lifetimes);
  expect_sound(lifetimes, plan);
  EXPECT_EQ(plan.bytes, 192U);
  EXPECT_EQ(plan.lower_bound, 66U);
}

TEST(MemoryPlan, GivesTheSameOffsetsForTheSameBlocks) {
  std::mt19937 random(5);
  std::vector<Lifetime> lifetimes;
  for (std::int64_t i = 0; i < 60; ++i) lifetimes.push_back({64 * (1 + random() % 99), i, i + 1 + i % 5});
  EXPECT_EQ(plan_memory(lifetimes).offsets, plan_memory(lifetimes).offsets);
}

TEST(MemoryPlan, NeverOverlapsRandomBlocks) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    std::vector<Lifetime> lifetimes;
    const auto steps = static_cast<std::int64_t>(2 + random() % 60);
    for (unsigned i = 0; i < 1 + random() % 80; ++i) {
      const auto first = static_cast<std::int64_t>(random()) % steps;
      lifetimes.push_back({random() % 5000, first, first + static_cast<std::int64_t>(random() % 6)});
    }
    expect_sound(lifetimes, plan_memory(lifetimes));
  }
}

// Four branches of different lengths that all read one input and write one result, again and again.
TEST(MemoryPlan, StaysNearTheLowerBoundOnModules) {
  std::mt19937 random(11);
  std::vector<Lifetime> lifetimes;
  std::int64_t step = 0;
  for (int module = 0; module < 12; ++module) {
    const std::int64_t begin = step;
    for (int branch = 0; branch < 4; ++branch) {
      for (int k = 0; k < branch; ++k, ++step) lifetimes.push_back({64 * (100 + random() % 900), step, step + 1});
    }
    lifetimes.push_back({64ULL * 3000, begin, step + 12});
  }
  const MemoryPlan plan = plan_memory(lifetimes);
  expect_sound(lifetimes, plan);
  EXPECT_LE(static_cast<double>(plan.bytes), 1.1 * static_cast<double>(plan.lower_bound));
}

}  // namespace
}  // namespace deeper::backend
