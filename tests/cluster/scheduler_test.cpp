#include "vsr/cluster/scheduler.hpp"

#include "vsr/job/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <queue>
#include <random>
#include <set>
#include <tuple>
#include <vector>

namespace vsr::cluster {
namespace {

TEST(Scheduler, FirstComeContiguousRuns) {
  Scheduler scheduler(std::vector<std::int64_t>(9, 100), std::vector<bool>(9, false), 3);
  EXPECT_EQ(scheduler.next(0)->segment, 0);
  EXPECT_EQ(scheduler.next(1)->segment, 3);
  EXPECT_EQ(scheduler.next(2)->segment, 6);
  scheduler.succeeded(1, 3, 1.0);
  EXPECT_EQ(scheduler.next(1)->segment, 4);
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

// A job that comes upon another one's segment goes on in the middle of what it owns, where the
// other one is not for the longest time.
TEST(Scheduler, WhatAnotherJobIsAtIsSetAsideUntilRecalled) {
  Scheduler scheduler(std::vector<std::int64_t>(9, 100), std::vector<bool>(9, false), 1, 1);
  EXPECT_EQ(scheduler.next(0)->segment, 0);
  scheduler.set_aside(0, 0);
  EXPECT_EQ(scheduler.next(0)->segment, 5);
  std::vector<int> got;
  scheduler.succeeded(0, 5, 1);
  while (const auto task = scheduler.next(0)) {
    got.push_back(task->segment);
    scheduler.succeeded(0, task->segment, 1);
  }
  EXPECT_EQ(got, (std::vector<int>{6, 7, 8, 1, 2, 3, 4}));
  EXPECT_FALSE(scheduler.all_done());
  EXPECT_TRUE(scheduler.recall());
  EXPECT_FALSE(scheduler.recall());
  EXPECT_EQ(scheduler.next(0)->attempt, 1);
  scheduler.succeeded(0, 0, 1);
  EXPECT_TRUE(scheduler.all_done());
}

TEST(Scheduler, WhatOthersHaveDoneIsHandedOutNoMore) {
  Scheduler scheduler(std::vector<std::int64_t>(20, 100), std::vector<bool>(20, false), 2);
  EXPECT_EQ(scheduler.next(0)->segment, 0);
  EXPECT_FALSE(scheduler.done_elsewhere(0)) << "in hand here";
  EXPECT_EQ(scheduler.next(1)->segment, 9);
  scheduler.set_aside(1, 9);
  for (const int segment : {1, 9, 19}) {
    EXPECT_TRUE(scheduler.done_elsewhere(segment));
    EXPECT_FALSE(scheduler.done_elsewhere(segment)) << "twice";
  }
  EXPECT_FALSE(scheduler.recall());
  EXPECT_EQ(scheduler.remaining(), 17);
  scheduler.succeeded(0, 0, 1);
  std::set<int> got;
  while (const auto task = scheduler.next(1)) {
    got.insert(task->segment);
    scheduler.succeeded(1, task->segment, 1);
  }
  EXPECT_EQ(got.size(), 16u);
  EXPECT_FALSE(got.contains(1) || got.contains(9) || got.contains(19));
  EXPECT_TRUE(scheduler.all_done());
}

TEST(Scheduler, ALostRankThatComesBackWithItsWorkDoesNoHarm) {
  Scheduler scheduler({100, 100, 100}, {false, false, false}, 2, 1);
  EXPECT_EQ(scheduler.next(1)->segment, 1);
  scheduler.lost(1);
  EXPECT_EQ(scheduler.next(0)->segment, 1);  // taken over
  scheduler.back(1);
  scheduler.succeeded(1, 1, 5);
  EXPECT_EQ(scheduler.remaining(), 2);
  EXPECT_TRUE(scheduler.failed(0, 1)) << "of what is done by now nothing is given up";
  EXPECT_EQ(scheduler.remaining(), 2);
  EXPECT_EQ(scheduler.in_hand(), 0);
  EXPECT_EQ(scheduler.next(1)->segment, 2) << "it works on";
  scheduler.lost(1);
  EXPECT_TRUE(scheduler.failed(1, 2)) << "of what is taken from it it loses no attempt";
  EXPECT_EQ(scheduler.next(0)->attempt, 1);
}

// Of 20 segments the last two are nobody's and come when all others are handed out.
TEST(Scheduler, TheLastTenthComesLast) {
  Scheduler scheduler(std::vector<std::int64_t>(20, 100), std::vector<bool>(20, false), 2);
  std::vector<int> order;
  while (const auto task = scheduler.next(1)) order.push_back(task->segment);
  ASSERT_EQ(order.size(), 20u);
  EXPECT_EQ(order.front(), 9);
  EXPECT_EQ(order[18], 18);
  EXPECT_EQ(order[19], 19);
}

TEST(Scheduler, ASlowRankLeavesTheVeryEndToAFasterOne) {
  Scheduler scheduler({100, 100, 100, 100}, {false, false, false, false}, 2);
  scheduler.next(0);
  scheduler.next(1);
  scheduler.succeeded(1, 2, 100.0);
  scheduler.succeeded(0, 0, 1.0);
  EXPECT_EQ(scheduler.next(0)->segment, 1);
  EXPECT_FALSE(scheduler.next(1)) << "it would take a hundred times as long as the other";
  scheduler.succeeded(0, 1, 1.0);
  EXPECT_EQ(scheduler.next(0)->segment, 3);
}

TEST(Scheduler, ASlowRankThatIsAloneTakesEverything) {
  Scheduler scheduler(std::vector<std::int64_t>(6, 100), std::vector<bool>(6, false), 2);
  scheduler.succeeded(0, scheduler.next(0)->segment, 1.0);
  scheduler.succeeded(1, scheduler.next(1)->segment, 100.0);
  scheduler.next(0);
  scheduler.lost(0);
  while (const auto task = scheduler.next(1)) scheduler.succeeded(1, task->segment, 100.0);
  EXPECT_TRUE(scheduler.all_done());
}

// --- The real scheduler against a simulated clock ------------------------------------------------

// Frames a second of ranks from half to twice as fast as usual.
std::vector<double> unequal_rates(int ranks, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> spread(0.5, 2.0);
  std::vector<double> rates(static_cast<std::size_t>(ranks));
  for (double& rate : rates) rate = 40 * spread(random);
  return rates;
}

// How long it takes, of the time that it would take if work could be divided at will.
double makespan(std::int64_t film_frames, int segment_frames, const std::vector<double>& rates) {
  std::vector<std::int64_t> weights;
  for (const Segment& segment :
       plan_segments(film_frames, {.segment_frames = segment_frames, .overlap_frames = 0})) {
    weights.push_back(segment.core.size());
  }
  const auto ranks = static_cast<int>(rates.size());
  Scheduler scheduler(weights, std::vector<bool>(weights.size(), false), ranks);
  using Event = std::tuple<double, int, int>;  // when, rank, segment finished
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  std::set<int> idle;
  const auto took = [&](int rank, int segment) {
    return static_cast<double>(weights[static_cast<std::size_t>(segment)]) /
           rates[static_cast<std::size_t>(rank)];
  };
  const auto hand_out = [&](double now) {
    for (auto it = idle.begin(); it != idle.end();) {
      const auto task = scheduler.next(*it);
      if (task) events.emplace(now + took(*it, task->segment), *it, task->segment);
      it = task ? idle.erase(it) : std::next(it);
    }
  };
  for (int rank = 0; rank < ranks; ++rank) idle.insert(rank);
  hand_out(0);
  double end = 0;
  while (!events.empty()) {
    const auto [now, rank, finished] = events.top();
    events.pop();
    scheduler.succeeded(rank, finished, took(rank, finished));
    end = now;
    idle.insert(rank);
    hand_out(now);
  }
  EXPECT_TRUE(scheduler.all_done());
  const double all = std::accumulate(rates.begin(), rates.end(), 0.0);
  return end * all / static_cast<double>(film_frames);
}

constexpr std::int64_t kThreeHours = 270'000;  // of 25 frames a second

TEST(SchedulerSimulated, SixtyFourUnequalRanksFinishTogether) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u}) {
    const double of_ideal = makespan(kThreeHours, 240, unequal_rates(64, seed));
    EXPECT_LE(of_ideal, 1.05) << "seed " << seed;
    EXPECT_GE(of_ideal, 1);
  }
}

// Segments as short as so many ranks want them: a rank has 17.
TEST(SchedulerSimulated, AThousandUnequalRanksFinishTogether) {
  EXPECT_LE(makespan(kThreeHours, 15, unequal_rates(1024, 1)), 1.05);
}

TEST(SchedulerSimulated, EqualRanksFinishTogether) {
  for (const int ranks : {2, 8, 64}) {
    EXPECT_LE(makespan(kThreeHours, 480, std::vector<double>(static_cast<std::size_t>(ranks), 40)),
              1.05)
        << ranks;
  }
}

TEST(SchedulerSimulated, OneVerySlowRankDoesNotKeepTheOthersWaiting) {
  std::vector<double> rates(16, 40);
  rates[7] = 4;
  EXPECT_LE(makespan(kThreeHours, 480, rates), 1.05);
}

}  // namespace
}  // namespace vsr::cluster
