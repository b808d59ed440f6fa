#include "vsr/cluster/scheduler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <random>

namespace vsr::cluster {
namespace {

TEST(Scheduler, FirstComeContiguousRuns) {
  Scheduler scheduler(std::vector<std::int64_t>(12, 100), std::vector<bool>(12, false), 3);
  EXPECT_EQ(scheduler.next(0)->segment, 0);
  EXPECT_EQ(scheduler.next(1)->segment, 4);
  EXPECT_EQ(scheduler.next(2)->segment, 8);
  scheduler.succeeded(1, 4, 1.0);
  EXPECT_EQ(scheduler.next(1)->segment, 5);
}

TEST(Scheduler, DryRankTakesFromTheEndOfTheSlowestRun) {
  Scheduler scheduler(std::vector<std::int64_t>(9, 100), std::vector<bool>(9, false), 3);
  for (const int rank : {0, 1, 2}) scheduler.next(rank);
  // Rank 0 is done with its run in no time; rank 2 is slower than rank 1.
  scheduler.succeeded(1, 3, 10.0);
  scheduler.succeeded(2, 6, 30.0);
  for (const int segment : {0, 1, 2}) {
    scheduler.succeeded(0, segment, 0.1);
    if (segment < 2) {
      EXPECT_EQ(scheduler.next(0)->segment, segment + 1);
    }
  }
  EXPECT_EQ(scheduler.next(0)->segment, 8);
}

TEST(Scheduler, LostRanksWorkGoesToTheOthers) {
  Scheduler scheduler(std::vector<std::int64_t>(4, 100), std::vector<bool>(4, false), 2);
  EXPECT_EQ(scheduler.next(1)->segment, 2);
  scheduler.lost(1);
  std::vector<int> got;
  while (const auto task = scheduler.next(0)) {
    got.push_back(task->segment);
    scheduler.succeeded(0, task->segment, 1);
  }
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_TRUE(scheduler.all_done());
}

TEST(Scheduler, WhatALostRankHadInHandIsNoAttempt) {
  Scheduler scheduler({100, 100}, {false, false}, 2, 1);
  EXPECT_EQ(scheduler.next(1)->segment, 1);
  scheduler.lost(1);
  const auto again = scheduler.next(0);
  EXPECT_EQ(again->segment, 1);
  EXPECT_EQ(again->attempt, 1);
}

TEST(Scheduler, GivenBackIsNoAttemptAndMayGoToTheSameRank) {
  Scheduler scheduler({100}, {false}, 2, 1);
  for (int i = 0; i < 5; ++i) {
    const auto task = scheduler.next(0);
    ASSERT_TRUE(task.has_value());
    EXPECT_EQ(task->attempt, 1);
    scheduler.gave_back(0, 0);
    EXPECT_EQ(scheduler.in_hand(), 0);
  }
  scheduler.next(0);
  EXPECT_FALSE(scheduler.failed(0, 0));
}

// The real scheduler against a simulated clock: ranks of unequal speed finish nearly together.
TEST(Scheduler, UnequalRanksFinishTogether) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> spread(0.5, 2.0);
  const int ranks = 8;
  const int segments = 400;
  std::vector<double> rate(ranks);
  double total_rate = 0;
  for (double& r : rate) total_rate += r = 40 * spread(random);
  Scheduler scheduler(
      std::vector<std::int64_t>(segments, 480), std::vector<bool>(segments, false), ranks);
  using Event = std::tuple<double, int, int>;  // when, rank, segment finished (-1: start)
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  for (int rank = 0; rank < ranks; ++rank) events.emplace(0.0, rank, -1);
  double makespan = 0;
  while (!events.empty()) {
    const auto [now, rank, finished] = events.top();
    events.pop();
    const double took = 480 / rate[static_cast<std::size_t>(rank)];
    if (finished >= 0) scheduler.succeeded(rank, finished, took);
    makespan = std::max(makespan, now);
    if (const auto task = scheduler.next(rank)) events.emplace(now + took, rank, task->segment);
  }
  EXPECT_TRUE(scheduler.all_done());
  EXPECT_LE(makespan, 1.05 * segments * 480 / total_rate);
}

}  // namespace
}  // namespace vsr::cluster
