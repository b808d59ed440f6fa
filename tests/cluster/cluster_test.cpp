#include "vsr/cluster/cluster.hpp"

#include "thread_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

namespace vsr::cluster {
namespace {

using ::testing::HasSubstr;

// Runs `segments` over `ranks` threads; the runner gets rank, segment and attempt.
struct Trial {
  using RankRunner = std::function<SegmentOutcome(int rank, int segment, int attempt)>;

  SegmentOutcome run(int ranks, int segments, const RankRunner& runner) {
    test::ThreadWorld world(ranks);
    Tasks tasks;
    tasks.weights.assign(static_cast<std::size_t>(segments), 10);
    tasks.done = done;
    tasks.done.resize(static_cast<std::size_t>(segments), false);
    const auto logged = [&](int rank) {
      return [&, rank](int segment, int attempt) {
        SegmentOutcome outcome = runner(rank, segment, attempt);
        const std::lock_guard lock(mutex);
        if (outcome.ok) made[segment].push_back(rank);
        return outcome;
      };
    };
    std::vector<std::thread> others;
    for (int rank = 1; rank < ranks; ++rank) {
      others.emplace_back([&, rank] {
        const auto communicator = world.rank(rank);
        std::atomic<int> own_stop = 0;
        serve(*communicator, logged(rank), own_stop);
      });
    }
    const auto communicator = world.rank(0);
    const SegmentOutcome end = coordinate(
        *communicator, tasks, logged(0), stop, [&](const Progress& p) { last_progress = p; });
    dismiss(*communicator);
    for (auto& other : others) other.join();
    return end;
  }

  std::vector<bool> done;
  std::atomic<int> stop = 0;
  std::mutex mutex;
  std::map<int, std::vector<int>> made;  // segment -> ranks that made it
  Progress last_progress;
};

SegmentOutcome good() { return {.ok = true}; }

TEST(Cluster, EverySegmentOnceOnAnyNumberOfRanks) {
  for (const int ranks : {1, 2, 4, 7}) {
    Trial trial;
    const auto end = trial.run(ranks, 23, [](int, int, int) { return good(); });
    EXPECT_TRUE(end.ok) << end.message;
    ASSERT_EQ(trial.made.size(), 23u);
    for (const auto& [segment, by] : trial.made) EXPECT_EQ(by.size(), 1u) << segment;
    EXPECT_EQ(trial.last_progress.done, 23);
  }
}

TEST(Cluster, CommittedSegmentsAreLeftAlone) {
  Trial trial;
  trial.done = {true, false, true, true, false};
  EXPECT_TRUE(trial.run(2, 5, [](int, int, int) { return good(); }).ok);
  ASSERT_EQ(trial.made.size(), 2u);
  EXPECT_TRUE(trial.made.contains(1) && trial.made.contains(4));
}

TEST(Cluster, NothingToDoIsDoneAtOnce) {
  Trial trial;
  trial.done = {true, true};
  EXPECT_TRUE(trial.run(3, 2, [](int, int, int) { return good(); }).ok);
  EXPECT_TRUE(trial.made.empty());
}

TEST(Cluster, FailedSegmentGoesToAnotherRank) {
  Trial trial;
  const auto end = trial.run(2, 8, [](int rank, int segment, int) -> SegmentOutcome {
    if (rank == 1 && segment == 5) {
      return {.ok = false, .code = ErrorCode::kGpu, .message = "card fell off"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.made[5], std::vector<int>{0});
}

TEST(Cluster, SegmentThatFailsEverywhereEndsTheRunWithItsReason) {
  Trial trial;
  std::atomic<int> tries = 0;
  const auto end = trial.run(2, 8, [&](int, int segment, int) -> SegmentOutcome {
    if (segment != 3) return good();
    ++tries;
    return {.ok = false, .code = ErrorCode::kStorage, .message = "segments/0003: disk full"};
  });
  EXPECT_FALSE(end.ok);
  EXPECT_EQ(end.code, ErrorCode::kStorage);
  EXPECT_THAT(end.message, HasSubstr("segments/0003: disk full"));
  EXPECT_EQ(tries.load(), 3);
}

TEST(Cluster, ABrokenFilmIsNotTriedAgain) {
  Trial trial;
  std::atomic<int> tries = 0;
  const auto end = trial.run(1, 4, [&](int, int segment, int) -> SegmentOutcome {
    if (segment != 1) return good();
    ++tries;
    return {.ok = false, .code = ErrorCode::kInput, .message = "frame 12 cannot be decoded"};
  });
  EXPECT_EQ(end.code, ErrorCode::kInput);
  EXPECT_EQ(tries.load(), 1);
}

TEST(Cluster, ExceptionsBecomeOutcomes) {
  Trial trial;
  const auto end = trial.run(2, 3, [&](int, int, int) -> SegmentOutcome {
    throw Error(ErrorCode::kModel, "no such weights");
  });
  EXPECT_EQ(end.code, ErrorCode::kModel);
  EXPECT_THAT(end.message, HasSubstr("no such weights"));
}

TEST(Cluster, StopFinishesWhatIsInHandAndSaysResumable) {
  Trial trial;
  const auto end = trial.run(2, 50, [&](int, int segment, int) {
    if (segment == 2) trial.stop = static_cast<int>(Stop::kAfterSegment);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return good();
  });
  EXPECT_FALSE(end.ok);
  EXPECT_EQ(end.code, ErrorCode::kInterrupted);
  EXPECT_TRUE(trial.made.contains(2));
  EXPECT_LT(trial.made.size(), 50u);
}

}  // namespace
}  // namespace vsr::cluster
