#include "vsr/cluster/cluster.hpp"

#include "deadline.hpp"
#include "thread_world.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

namespace vsr::cluster {
namespace {

using ::testing::HasSubstr;

// Runs `segments` over `ranks` threads; the runner gets rank, segment and attempt.
struct Trial {
  using RankRunner = std::function<SegmentOutcome(int rank, int segment, int attempt)>;
  using ChunkMaker = std::function<SegmentOutcome(int rank, int segment)>;

  // Ends the test program when it takes too long: a coordinator that waits for ever has no other
  // end.
  SegmentOutcome run(int ranks, int segments, const RankRunner& runner) {
    const test::Deadline deadline(20);
    test::ThreadWorld world(ranks);
    Tasks tasks;
    tasks.weights.assign(static_cast<std::size_t>(segments), 10);
    tasks.done = done;
    tasks.ranks = capacities;
    tasks.encoded = chunks_done;
    tasks.gate = gate;
    tasks.watcher = watcher;
    tasks.done.resize(static_cast<std::size_t>(segments), false);
    const auto logged = [&](int rank) {
      return [&, rank](const Task& task, const std::function<void()>& next_may_begin) {
        if (task.work == Work::kEncode) {
          if (encoding) encoding(task);
          SegmentOutcome outcome = encoder(rank, task.segment);
          const std::lock_guard lock(mutex);
          if (outcome.ok) encoded[task.segment].push_back(rank);
          return outcome;
        }
        if (begun_early) next_may_begin();
        SegmentOutcome outcome = runner(rank, task.segment, task.attempt);
        const std::lock_guard lock(mutex);
        if (outcome.ok) made[task.segment].push_back(rank);
        return outcome;
      };
    };
    std::vector<std::thread> others;
    for (int rank = 1; rank < ranks; ++rank) {
      others.emplace_back([&, rank] {
        const auto communicator = world.rank(rank);
        serve(*communicator,
              logged(rank),
              capacity(rank),
              other_stops.at(static_cast<std::size_t>(rank)));
      });
    }
    const auto communicator = world.rank(0);
    SegmentOutcome end;
    for (list = 1; list <= lists; ++list) {
      end = coordinate(
          *communicator, tasks, logged(0), stop, [&](const Progress& p) { last_progress = p; });
    }
    dismiss(*communicator);
    for (auto& other : others) other.join();
    return end;
  }

  Capacity capacity(int rank) const {
    return capacities.empty() ? Capacity() : capacities.at(static_cast<std::size_t>(rank));
  }

  Gate* gate = nullptr;
  Watcher* watcher = nullptr;
  std::vector<Capacity> capacities;  // by rank; empty: all upscale and nobody encodes
  std::vector<bool> chunks_done;     // empty: there are no chunks
  ChunkMaker encoder;
  std::function<void(const Task&)> encoding;  // told of each chunk that is begun
  std::map<int, std::vector<int>> encoded;    // segment -> ranks that encoded it
  std::vector<bool> done;
  bool begun_early = false;  // each segment lets the next one begin at once
  std::atomic<int> stop = 0;
  std::array<std::atomic<int>, 8> other_stops{};  // by rank
  int lists = 1;                                  // so many times the same segments
  std::atomic<int> list = 0;                      // the one at work
  std::mutex mutex;
  std::map<int, std::vector<int>> made;  // segment -> ranks that made it
  Progress last_progress;
};

SegmentOutcome good() { return {.ok = true}; }

// A run directory as jobs see it, without one.
struct SharedRun {
  std::mutex mutex;
  std::map<std::pair<Work, int>, int> held;  // by job
  std::map<std::pair<Work, int>, int> done;  // how often
  std::atomic<bool> film_made = false;
};

class TestGate : public Gate {
 public:
  TestGate(SharedRun& run, int job) : run_(run), job_(job) {}

  Answer ask(const Piece& piece) override {
    const std::lock_guard lock(run_.mutex);
    ++asked;
    if (no_room > 0) {
      --no_room;
      return Answer::kNoRoom;
    }
    const auto key = std::pair(piece.work, piece.segment);
    const auto [it, taken] = run_.held.emplace(key, job_);
    if (it->second != job_ || run_.done.count(key) > 0) return Answer::kTakenElsewhere;
    return Answer::kYes;
  }

  void over(const Piece& piece, bool disk_full) override {
    const std::lock_guard lock(run_.mutex);
    const auto it = run_.held.find({piece.work, piece.segment});
    if (it != run_.held.end() && it->second == job_) run_.held.erase(it);
    if (disk_full) no_room = 2;
  }

  std::vector<Piece> news() override {
    const std::lock_guard lock(run_.mutex);
    std::vector<Piece> news;
    for (const auto& [key, times] : run_.done) {
      if (known_.insert(key).second) news.push_back({key.first, key.second});
    }
    return news;
  }

  bool film_made() override { return run_.film_made; }

  bool others_upscale() override { return somebody_upscales; }

  std::atomic<int> asked = 0;
  std::atomic<bool> somebody_upscales = true;
  int no_room = 0;  // so many answers

 private:
  SharedRun& run_;
  const int job_;
  std::set<std::pair<Work, int>> known_;
};

TEST(SoloCommunicator, TakesThePlaceOnItsHostThatItIsGiven) {
  const auto third = make_solo_communicator(2, 4);
  EXPECT_EQ(third->rank(), 0);
  EXPECT_EQ(third->size(), 1);
  EXPECT_EQ(third->local_rank(), 2);
  EXPECT_EQ(third->local_size(), 4);
  EXPECT_EQ(make_solo_communicator()->local_rank(), 0);
}

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

// Each segment ends when a later one has begun on the same rank, if there is one.
TEST(Cluster, ASegmentIsBegunWhileTheOneBeforeIsFinished) {
  for (const int ranks : {1, 3}) {
    constexpr int kSegments = 12;
    Trial trial;
    trial.begun_early = true;
    std::mutex mutex;
    std::map<int, int> in_hand;
    std::atomic<int> begun = 0;
    std::atomic<int> most = 0;
    const auto end = trial.run(ranks, kSegments, [&](int rank, int, int) {
      const auto at_once = [&] {
        const std::lock_guard lock(mutex);
        most = std::max(most.load(), in_hand[rank]);
        return in_hand[rank];
      };
      {
        const std::lock_guard lock(mutex);
        ++in_hand[rank];
        ++begun;
      }
      while (at_once() < 2 && begun < kSegments) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // for a third one to come
      at_once();
      const std::lock_guard lock(mutex);
      --in_hand[rank];
      return good();
    });
    EXPECT_TRUE(end.ok) << end.message;
    EXPECT_EQ(trial.made.size(), 12u);
    for (const auto& [segment, by] : trial.made) EXPECT_EQ(by.size(), 1u) << segment;
    EXPECT_EQ(most, 2) << ranks << " ranks";
  }
}

TEST(Cluster, EveryChunkOnceAfterItsSegment) {
  Trial trial;
  trial.capacities = {{true, 1}, {true, 2}, {false, 3}};
  trial.chunks_done.assign(17, false);
  std::atomic<bool> early = false;
  trial.encoder = [&](int, int segment) -> SegmentOutcome {
    const std::lock_guard lock(trial.mutex);
    if (!trial.made.contains(segment)) early = true;
    return good();
  };
  const auto end = trial.run(3, 17, [](int rank, int, int) -> SegmentOutcome {
    EXPECT_NE(rank, 2) << "it only encodes";
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_FALSE(early);
  EXPECT_EQ(trial.made.size(), 17u);
  ASSERT_EQ(trial.encoded.size(), 17u);
  for (const auto& [segment, by] : trial.encoded) EXPECT_EQ(by.size(), 1u) << segment;
  EXPECT_EQ(trial.last_progress.encoded, 17);
}

TEST(Cluster, TellsHowManyFramesAreDoneAndHowFastEachWorkGoes) {
  constexpr auto kUpscaling = std::chrono::milliseconds(5);
  constexpr auto kEncoding = std::chrono::milliseconds(20);
  Trial trial;
  trial.capacities = {{true, 1}, {true, 2}, {false, 3}};
  trial.done.assign(12, false);
  trial.chunks_done = trial.done;
  trial.done[3] = trial.chunks_done[3] = true;  // of an earlier start: no measure of this one
  trial.done[4] = true;
  trial.encoder = [&](int, int) -> SegmentOutcome {
    std::this_thread::sleep_for(kEncoding);
    return good();
  };
  const auto end = trial.run(3, 12, [&](int, int, int) {
    std::this_thread::sleep_for(kUpscaling);
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  const Progress& last = trial.last_progress;
  EXPECT_EQ(last.frames, 120);
  EXPECT_EQ(last.frames_done, 120);
  EXPECT_EQ(last.frames_encoded, 120);
  EXPECT_EQ(last.upscaling.frames, 100);
  EXPECT_EQ(last.upscaling.workers, 2);
  EXPECT_EQ(last.encoding.frames, 110);
  EXPECT_EQ(last.encoding.workers, 6);
  EXPECT_GE(last.upscaling.worker_s, 10 * 0.005);
  EXPECT_GE(last.encoding.worker_s, 11 * 0.020);
  // However long six encoders wait for segments, they could do this many.
  EXPECT_LE(last.encoding.fps(), 6 * 10 / 0.020);
  EXPECT_GT(last.encoding.fps(), 6 * 10 / 0.200);
}

// Few chunks are spread over the ranks, and each is told how many share a rank's processors.
TEST(Cluster, FewChunksAreSpreadAndMayHaveMoreOfTheProcessors) {
  Trial trial;
  trial.capacities = {{true, 4}, {true, 4}};
  trial.done.assign(4, true);
  trial.chunks_done.assign(4, false);
  std::map<int, int> in_hand;
  std::atomic<int> begun = 0;
  std::vector<int> at_once;
  trial.encoder = [&](int rank, int) {
    {
      const std::lock_guard lock(trial.mutex);
      ++in_hand[rank];
    }
    ++begun;
    while (begun < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return good();
  };
  trial.encoding = [&](const Task& task) {
    const std::lock_guard lock(trial.mutex);
    at_once.push_back(task.at_once);
  };
  EXPECT_TRUE(trial.run(2, 4, [](int, int, int) { return good(); }).ok);
  EXPECT_EQ(in_hand, (std::map<int, int>{{0, 2}, {1, 2}}));
  EXPECT_EQ(at_once, (std::vector<int>{2, 2, 2, 2}));
}

// Upscaling goes on while chunks wait for encoders.
TEST(Cluster, UpscalingDoesNotWaitForEncoders) {
  Trial trial;
  trial.capacities = {{true, 1}};
  trial.chunks_done.assign(6, false);
  trial.encoder = [&](int, int) -> SegmentOutcome {
    for (int i = 0; i < 5000; ++i) {  // until all segments are there
      {
        const std::lock_guard lock(trial.mutex);
        if (trial.made.size() == 6) return good();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {.ok = false, .code = ErrorCode::kInput, .message = "segments wait"};
  };
  const auto end = trial.run(1, 6, [](int, int, int) { return good(); });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.encoded.size(), 6u);
}

TEST(Cluster, ChunksThatAreThereAreLeftAloneAndTheirSegmentsToo) {
  Trial trial;
  trial.capacities = {{true, 1}, {true, 1}};
  trial.done = {true, true, false};
  trial.chunks_done = {true, false, false};
  trial.encoder = [](int, int) { return good(); };
  EXPECT_TRUE(trial.run(2, 3, [](int, int, int) { return good(); }).ok);
  EXPECT_EQ(trial.made.size(), 1u);
  EXPECT_EQ(trial.encoded.size(), 2u);
  EXPECT_FALSE(trial.encoded.contains(0));
}

TEST(Cluster, AChunkThatFailsEverywhereEndsTheRunWithItsReason) {
  Trial trial;
  trial.capacities = {{true, 1}, {false, 1}};
  trial.chunks_done.assign(4, false);
  std::atomic<int> tries = 0;
  trial.encoder = [&](int, int segment) -> SegmentOutcome {
    if (segment != 2) return good();
    ++tries;
    throw Error(ErrorCode::kStorage, "segments/0002.mov: packet 7 is damaged");
  };
  const auto end = trial.run(2, 4, [](int, int, int) { return good(); });
  EXPECT_FALSE(end.ok);
  EXPECT_EQ(end.work, Work::kEncode);
  EXPECT_EQ(end.segment, 2);
  EXPECT_THAT(end.message, HasSubstr("packet 7"));
  EXPECT_EQ(tries.load(), 3);
}

// Rank 1 is given work and says nothing, as one that is stopped; then it goes on.
TEST(Cluster, ASilentRanksWorkGoesToOthersAndItMayComeBack) {
  const test::Deadline deadline(30);
  test::ThreadWorld world(2);
  std::atomic<bool> back = false;
  std::mutex mutex;
  std::map<int, int> made;
  const auto runner = [&](int rank) {
    return [&, rank](const Task& task, const std::function<void()>&) {
      // The end waits until the other one is there again.
      while (rank == 0 && task.segment == 0 && !back) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      const std::lock_guard lock(mutex);
      ++made[task.segment];
      return good();
    };
  };
  Tasks tasks;
  tasks.weights.assign(6, 10);
  tasks.done.assign(6, false);
  tasks.silence_s = 1.5;
  std::atomic<int> stop = 0;
  std::atomic<int> other_stop = 0;
  std::thread other;
  std::vector<std::vector<int>> silent;
  const auto communicator = world.rank(0);
  const auto end = coordinate(*communicator, tasks, runner(0), stop, [&](const Progress& progress) {
    if (silent.empty() ? progress.silent.empty() : silent.back() == progress.silent) {
      if (!silent.empty() && silent.back().empty()) back = true;
      return;
    }
    silent.push_back(progress.silent);
    if (progress.silent.empty()) back = true;
    if (other.joinable()) return;
    other = std::thread([&] {
      const auto own = world.rank(1);
      serve(*own, runner(1), {}, other_stop);
    });
  });
  dismiss(*communicator);
  other.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(silent, (std::vector<std::vector<int>>{{1}, {}}));
  EXPECT_EQ(made.size(), 6u);
  EXPECT_FALSE(communicator->given_up());
}

TEST(Cluster, ARankThatIsSilentForGoodDoesNotKeepTheRunAndIsGivenUp) {
  const test::Deadline deadline(60);
  test::ThreadWorld world(2);
  Tasks tasks;
  tasks.weights.assign(6, 10);
  tasks.done.assign(6, false);
  tasks.silence_s = 0.2;
  std::atomic<int> stop = 0;
  const auto communicator = world.rank(0);
  const Runner runner = [](const Task&, const std::function<void()>&) { return good(); };
  EXPECT_TRUE(coordinate(*communicator, tasks, runner, stop, [](const Progress&) {}).ok);
  dismiss(*communicator);
  EXPECT_TRUE(communicator->given_up());
}

TEST(ClusterGate, TwoJobsShareAFilmAndMakeEveryPieceOnce) {
  const test::Deadline deadline(60);
  SharedRun run;
  constexpr int kSegments = 40;
  std::array<std::atomic<int>, 2> made_by{};
  const auto job = [&](int number) {
    test::ThreadWorld world(2);
    TestGate gate(run, number);
    Tasks tasks;
    tasks.weights.assign(kSegments, 10);
    tasks.done.assign(kSegments, false);
    tasks.encoded.assign(kSegments, false);
    tasks.ranks = {{true, 1}, {true, 1}};
    tasks.gate = &gate;
    const Runner runner = [&](const Task& task, const std::function<void()>&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      const std::lock_guard lock(run.mutex);
      ++run.done[{task.work, task.segment}];
      ++made_by.at(static_cast<std::size_t>(number));
      return good();
    };
    std::atomic<int> stop = 0;
    std::atomic<int> other_stop = 0;
    std::thread other([&] {
      const auto own = world.rank(1);
      serve(*own, runner, {true, 1}, other_stop);
    });
    const auto communicator = world.rank(0);
    const auto end = coordinate(*communicator, tasks, runner, stop, [](const Progress&) {});
    EXPECT_TRUE(end.ok) << end.message;
    dismiss(*communicator);
    other.join();
  };
  std::thread second(job, 1);
  job(0);
  second.join();
  EXPECT_EQ(run.done.size(), 2u * kSegments);
  for (const auto& [key, times] : run.done) EXPECT_EQ(times, 1) << key.second;
  for (const auto& made : made_by) EXPECT_GT(made.load(), kSegments / 4);
}

// Of three segments another job holds one, and dies.
TEST(ClusterGate, WhatADeadJobHeldIsTakenOverInTheEnd) {
  Trial trial;
  SharedRun run;
  run.held[{Work::kUpscale, 1}] = 9;
  TestGate gate(run, 0);
  trial.gate = &gate;
  std::thread death([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::lock_guard lock(run.mutex);
    run.held.erase({Work::kUpscale, 1});
  });
  const auto end = trial.run(1, 3, [](int, int, int) { return good(); });
  death.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.made.size(), 3u);
  EXPECT_LT(gate.asked, 100) << "asked without rest";
}

// Rank 1 commits its first segment, and is cut off before it can say so.
TEST(ClusterGate, WhatALostRankHasCommittedIsNotWaitedFor) {
  const test::Deadline deadline(60);
  test::ThreadWorld world(2);
  SharedRun run;
  TestGate gate(run, 0);
  Tasks tasks;
  tasks.weights.assign(6, 10);
  tasks.done.assign(6, false);
  tasks.silence_s = 0.5;
  tasks.gate = &gate;
  std::atomic<int> stop = 0;
  std::vector<int> made;
  const Runner runner = [&](const Task& task, const std::function<void()>&) {
    const std::lock_guard lock(run.mutex);
    made.push_back(task.segment);
    run.done[{Work::kUpscale, 3}] = 1;
    return good();
  };
  EXPECT_TRUE(coordinate(*world.rank(0), tasks, runner, stop, [](const Progress&) {}).ok);
  EXPECT_EQ(made.size(), 5u);
  EXPECT_EQ(std::count(made.begin(), made.end(), 3), 0);
}

TEST(ClusterGate, AFullDiskIsWaitedFor) {
  Trial trial;
  SharedRun run;
  TestGate gate(run, 0);
  trial.gate = &gate;
  std::atomic<int> tries = 0;
  const auto end = trial.run(2, 6, [&](int, int segment, int attempt) -> SegmentOutcome {
    EXPECT_EQ(attempt, 1) << "a full disk costs no attempt";
    if (segment == 2 && ++tries < 3) throw DiskFull("segments/0002: No space left on device");
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.made.size(), 6u);
  EXPECT_LT(gate.asked, 100) << "asked without rest";
}

// Of three segments, for none of which there is anything to be done.
void expect_stopped(Trial& trial) {
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    trial.stop = static_cast<int>(Stop::kAfterSegment);
  });
  const auto end = trial.run(1, 3, [](int, int, int) { return good(); });
  stopper.join();
  EXPECT_EQ(end.code, ErrorCode::kInterrupted);
}

TEST(ClusterGate, AWaitForRoomCanBeStopped) {
  Trial trial;
  SharedRun run;
  TestGate gate(run, 0);
  gate.no_room = 1'000'000;
  trial.gate = &gate;
  expect_stopped(trial);
}

// Another job upscales four segments one after the other; this one encodes each as it comes.
TEST(ClusterGate, AJobThatOnlyEncodesWaitsForOthersSegmentsAndNeverTakesOne) {
  Trial trial;
  SharedRun run;
  TestGate gate(run, 0);
  trial.gate = &gate;
  trial.capacities = {{false, 2}, {false, 1}};
  trial.chunks_done.assign(4, false);
  const auto commit = [&](int segment) {
    const std::lock_guard lock(run.mutex);
    run.done[{Work::kUpscale, segment}] = 1;
  };
  std::atomic<int> next = 1;
  trial.encoder = [&](int, int) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (next < 4) commit(next++);
    return good();
  };
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    commit(0);
  });
  const auto end = trial.run(2, 4, [](int, int, int) { return good(); });
  other.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_TRUE(trial.made.empty());
  EXPECT_EQ(trial.encoded.size(), 4u);
  EXPECT_EQ(trial.last_progress.done, 4);
  EXPECT_EQ(trial.last_progress.encoded, 4);
  // The first segment begins the clock, and does not count.
  EXPECT_EQ(trial.last_progress.upscaling.frames, 30);
  EXPECT_GT(trial.last_progress.upscaling.fps(), 0);
  EXPECT_LT(trial.last_progress.upscaling.fps(), 30 / 0.06) << "three came 20 ms apart at least";
}

// Of the four segments two come, then nobody upscales for a second.
TEST(ClusterGate, WhereNobodyUpscaledForAWhileThePaceOfOthersIsMeasuredAnew) {
  constexpr auto kApart = std::chrono::milliseconds(50);
  constexpr auto kGap = std::chrono::seconds(1);
  Trial trial;
  SharedRun run;
  TestGate gate(run, 0);
  trial.gate = &gate;
  trial.capacities = {{false, 1}};
  trial.chunks_done.assign(4, false);
  trial.encoder = [](int, int) { return good(); };
  std::thread other([&] {
    for (int segment = 0; segment < 4; ++segment) {
      if (segment == 2) {
        gate.somebody_upscales = false;
        std::this_thread::sleep_for(kGap);
        gate.somebody_upscales = true;
      }
      std::this_thread::sleep_for(kApart);
      const std::lock_guard lock(run.mutex);
      run.done[{Work::kUpscale, segment}] = 1;
    }
  });
  const auto end = trial.run(1, 4, [](int, int, int) { return good(); });
  other.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.last_progress.upscaling.frames, 10) << "of the last segment alone";
  EXPECT_LT(trial.last_progress.upscaling.worker_s, 0.9);
}

TEST(ClusterGate, AJobThatOnlyEncodesIsStoppedWhileItWaits) {
  Trial trial;
  SharedRun run;
  TestGate gate(run, 0);
  trial.gate = &gate;
  trial.capacities = {{false, 1}};
  trial.chunks_done.assign(3, false);
  expect_stopped(trial);
  EXPECT_TRUE(trial.made.empty());
}

TEST(ClusterGate, AFilmThatAnotherJobHasMadeEndsTheList) {
  Trial trial;
  SharedRun run;
  run.held[{Work::kUpscale, 1}] = 9;
  TestGate gate(run, 0);
  trial.gate = &gate;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    run.film_made = true;
  });
  const auto end = trial.run(1, 3, [](int, int, int) { return good(); });
  other.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.made.size(), 2u);
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

TEST(Cluster, WithoutAGateAFullDiskIsNotTriedAgain) {
  for (const int ranks : {1, 2}) {
    Trial trial;
    std::atomic<int> tries = 0;
    const auto end = trial.run(ranks, 4, [&](int, int segment, int) -> SegmentOutcome {
      if (segment != 1) return good();
      ++tries;
      throw DiskFull("segments/0001.mov: cannot be written: No space left on device");
    });
    EXPECT_EQ(end.code, ErrorCode::kStorage);
    EXPECT_THAT(end.message, HasSubstr("nothing committed is lost"));
    EXPECT_EQ(tries.load(), 1) << ranks << " ranks";
  }
}

// A storage error of another cause may pass: a network file system that was away for a while.
TEST(Cluster, OtherStorageErrorsAreTriedAgain) {
  Trial trial;
  const auto end = trial.run(1, 4, [&](int, int segment, int attempt) -> SegmentOutcome {
    if (segment == 1 && attempt < 3) throw Error(ErrorCode::kStorage, "Stale file handle");
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
}

TEST(Cluster, AnInterruptedAttemptDoesNotCount) {
  Trial trial;
  std::vector<int> attempts;
  const auto end = trial.run(1, 1, [&](int, int, int attempt) -> SegmentOutcome {
    attempts.push_back(attempt);
    if (attempts.size() == 3) return {.ok = false, .code = ErrorCode::kInterrupted};
    if (attempts.size() < 4) return {.ok = false, .code = ErrorCode::kGpu, .message = "flaky"};
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(attempts, (std::vector<int>{1, 2, 3, 3}));
}

// A rank that is told to stop by itself, as one of a host that goes down, is not missed.
TEST(Cluster, TheOthersDoWhatARankThatLeavesHadInHand) {
  Trial trial;
  const auto end = trial.run(2, 12, [&](int rank, int, int) -> SegmentOutcome {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (rank == 0) return good();
    trial.other_stops.at(1) = static_cast<int>(Stop::kNow);
    return {.ok = false, .code = ErrorCode::kInterrupted};
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(trial.made.size(), 12u);
}

// Segment 0 fails for good on rank 0 while rank 1 is at work; then the user wants out at once.
TEST(Cluster, StopNowReachesAllAfterASegmentWasGivenUp) {
  Trial trial;
  std::atomic<bool> second_at_work = false;
  const auto end = trial.run(2, 6, [&](int rank, int segment, int) -> SegmentOutcome {
    if (rank == 1) {
      second_at_work = true;
      while (trial.other_stops.at(1) < static_cast<int>(Stop::kNow)) {
        if (trial.other_stops.at(1) != 0) trial.stop = static_cast<int>(Stop::kNow);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      return {.ok = false, .code = ErrorCode::kInterrupted};
    }
    while (!second_at_work) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return {.ok = false, .code = ErrorCode::kInput, .message = format("bad frame in {}", segment)};
  });
  EXPECT_EQ(end.code, ErrorCode::kInput);
  EXPECT_THAT(end.message, HasSubstr("bad frame in 0"));
}

// A chunk whose mezzanine is bad is what a second list may follow, with all ranks.
TEST(Cluster, AfterAChunkThatCannotBeReadAllRanksTakePartInTheNextList) {
  Trial trial;
  trial.lists = 2;
  trial.capacities = {{false, 1}, {true, 1}, {true, 1}};
  trial.chunks_done.assign(6, false);
  trial.encoder = [&](int, int segment) -> SegmentOutcome {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (trial.list == 2 || segment != 2) return good();
    return {.ok = false, .code = ErrorCode::kStorage, .message = "packet 3 is damaged"};
  };
  const auto end = trial.run(3, 6, [&](int, int, int) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
}

// Rank 0 only encodes, and the only rank that upscales is sent away.
TEST(Cluster, ARunThatNobodyIsLeftForEnds) {
  Trial trial;
  trial.capacities = {{false, 1}, {true, 0}};
  trial.chunks_done.assign(4, false);
  trial.encoder = [](int, int) { return good(); };
  const auto end = trial.run(2, 4, [&](int, int segment, int) -> SegmentOutcome {
    if (segment == 1) trial.other_stops.at(1) = static_cast<int>(Stop::kAfterSegment);
    return good();
  });
  EXPECT_EQ(end.code, ErrorCode::kCluster);
  EXPECT_THAT(end.message, HasSubstr("every rank that upscales has left"));
}

// A rank that has encoders and is told to leave while it finishes a chunk is offered no more.
TEST(Cluster, ARankThatIsAboutToLeaveIsNotAskedAgainAndAgain) {
  Trial trial;
  trial.capacities = {{true, 1}, {true, 2}};
  trial.done.assign(12, true);
  trial.chunks_done.assign(12, false);
  std::atomic<int> begun = 0;
  std::atomic<int> by_first = 0;
  trial.encoding = [&](const Task&) { ++begun; };
  trial.encoder = [&](int rank, int) {
    if (rank == 0) {
      ++by_first;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return good();
    }
    trial.other_stops.at(1) = static_cast<int>(Stop::kAfterSegment);
    while (by_first < 6) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return good();
  };
  SharedRun run;
  TestGate gate(run, 0);
  trial.gate = &gate;
  EXPECT_TRUE(trial.run(2, 12, [](int, int, int) { return good(); }).ok);
  EXPECT_LE(gate.asked, 12 + 4) << "offered in vain";
  EXPECT_TRUE(run.held.empty()) << "leases are left";
}

// An encoder that was silent and came back does not count as one that upscales: a segment that
// failed on the only one that does is tried there again.
TEST(Cluster, ASilentEncoderThatComesBackIsNoUpscaler) {
  const test::Deadline deadline(60);
  test::ThreadWorld world(2);
  Tasks tasks;
  tasks.weights.assign(3, 10);
  tasks.done = {true, false, false};
  tasks.encoded.assign(3, false);
  tasks.ranks = {{true, 1}, {false, 1}};
  tasks.silence_s = 0.5;
  SharedRun run;
  TestGate gate(run, 0);
  tasks.gate = &gate;
  std::atomic<bool> back = false;
  std::atomic<int> stop = 0;
  std::atomic<int> other_stop = 0;
  const Runner runner = [&](const Task& task, const std::function<void()>&) -> SegmentOutcome {
    while (task.work == Work::kUpscale && !back) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (task.work == Work::kUpscale && task.segment == 1 && task.attempt == 1) {
      return {.ok = false, .code = ErrorCode::kGpu, .message = "flaky"};
    }
    return good();
  };
  std::thread other;
  const auto communicator = world.rank(0);
  const auto end = coordinate(*communicator, tasks, runner, stop, [&](const Progress& progress) {
    if (other.joinable()) {
      if (progress.silent.empty()) back = true;
      return;
    }
    if (progress.silent.empty()) return;
    EXPECT_FALSE(run.held.contains({Work::kEncode, 0})) << "nobody is at it";
    other = std::thread([&] {
      const auto own = world.rank(1);
      serve(*own, runner, {false, 1}, other_stop);
    });
  });
  dismiss(*communicator);
  other.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_TRUE(run.held.empty()) << "leases are left";
}

// Writes down what it sees.
class TestWatcher : public Watcher {
 public:
  void begun(int rank, const Task& task) override {
    in_hand.insert({task.work, task.segment, rank});
  }

  void over(int rank, const Piece& piece, bool done) override {
    EXPECT_EQ(in_hand.erase({piece.work, piece.segment, rank}), 1u) << piece.segment;
    if (done) made.insert({piece.work, piece.segment});
  }

  void made_elsewhere(const Piece& piece) override { elsewhere.push_back(piece.segment); }

  void said(int rank, const std::string& status) override {
    const std::lock_guard lock(mutex);
    statuses[rank].push_back(status);
  }

  // Whether so many ranks have said so much.
  bool heard(std::size_t ranks, std::size_t times) {
    const std::lock_guard lock(mutex);
    return statuses.size() >= ranks && std::ranges::all_of(statuses, [&](const auto& of_rank) {
             return of_rank.second.size() >= times;
           });
  }

  void left(int rank) override { gone.insert(rank); }

  void waits_for_room(bool waits) override { waiting = waits; }

  std::set<std::tuple<Work, int, int>> in_hand;
  std::set<std::pair<Work, int>> made;
  std::vector<int> elsewhere;
  std::mutex mutex;
  std::map<int, std::vector<std::string>> statuses;  // by rank; guarded by mutex
  std::set<int> gone;
  bool waiting = false;
};

TEST(ClusterWatcher, SeesEveryPieceBegunAndOver) {
  TestWatcher watcher;
  Trial trial;
  trial.watcher = &watcher;
  trial.capacities.assign(3, {true, 1});
  trial.chunks_done.assign(9, false);
  trial.encoder = [](int, int) { return good(); };
  const auto end = trial.run(3, 9, [&](int, int segment, int attempt) -> SegmentOutcome {
    if (segment == 4 && attempt == 1) {
      return {.ok = false, .code = ErrorCode::kGpu, .message = "flaky"};
    }
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(watcher.made.size(), 18u);
  EXPECT_TRUE(watcher.in_hand.empty());
}

TEST(ClusterWatcher, HearsARankThatLeaves) {
  TestWatcher watcher;
  Trial trial;
  trial.watcher = &watcher;
  const auto end = trial.run(2, 30, [&](int, int segment, int) {
    if (segment == 20) trial.other_stops[1] = static_cast<int>(Stop::kAfterSegment);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_EQ(watcher.gone, std::set<int>{1});
}

// Rank 1 upscales, rank 2 has nothing to do: both say how they are, every second.
TEST(ClusterWatcher, HearsEveryRankWithOrWithoutWork) {
  const test::Deadline deadline(60);
  test::ThreadWorld world(3);
  TestWatcher watcher;
  Tasks tasks;
  tasks.weights = {10};
  tasks.done = {false};
  tasks.ranks = {{false, 0}, {true, 0}, {false, 0}};
  tasks.watcher = &watcher;
  std::array<std::atomic<int>, 3> stops{};
  const Runner runner = [&](const Task&, const std::function<void()>&) {
    while (!watcher.heard(2, 2)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return good();
  };
  std::vector<std::thread> others;
  for (int rank = 1; rank < 3; ++rank) {
    others.emplace_back([&, rank] {
      const auto own = world.rank(rank);
      const Capacity& capacity = tasks.ranks.at(static_cast<std::size_t>(rank));
      serve(*own, runner, capacity, stops.at(static_cast<std::size_t>(rank)), nullptr, [rank] {
        return std::string("rank\0", 5) + std::to_string(rank);
      });
    });
  }
  const auto communicator = world.rank(0);
  EXPECT_TRUE(coordinate(*communicator, tasks, runner, stops[0], [](const Progress&) {}).ok);
  dismiss(*communicator);
  for (std::thread& other : others) other.join();
  ASSERT_EQ(watcher.statuses.size(), 2u);
  for (const auto& [rank, statuses] : watcher.statuses) {
    EXPECT_GE(statuses.size(), 2u) << rank;
    EXPECT_EQ(statuses.front(), std::string("rank\0", 5) + std::to_string(rank));
  }
}

// Before the first list rank 0 may be asking for something else, and while the film is joined it
// hears nothing: what a rank says then would be taken for an answer, or pile up.
TEST(ClusterWatcher, ARankSaysNothingBeforeRankZeroListens) {
  const test::Deadline deadline(60);
  test::ThreadWorld world(2);
  std::atomic<int> stop = 0;
  std::atomic<int> asked = 0;
  std::thread other([&] {
    const auto own = world.rank(1);
    serve(*own, {}, {false, 0}, stop, nullptr, [&] { return std::to_string(++asked); });
  });
  const auto communicator = world.rank(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(asked.load(), 0);
  EXPECT_FALSE(communicator->poll().has_value());
  dismiss(*communicator);
  other.join();
}

// A film that cannot be made of a segment asks for it again: the same ranks, a second list.
TEST(Cluster, ASecondListIsSharedByAllRanks) {
  Trial trial;
  trial.lists = 2;
  std::mutex mutex;
  std::map<int, std::set<int>> failed_on;
  const auto end = trial.run(2, 8, [&](int rank, int segment, int) -> SegmentOutcome {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::lock_guard lock(mutex);
    // In the second list everything fails on the first rank that meets it.
    if (trial.list == 2 && failed_on[segment].empty()) {
      failed_on[segment].insert(rank);
      return {.ok = false, .code = ErrorCode::kGpu, .message = "flaky"};
    }
    return good();
  });
  EXPECT_TRUE(end.ok) << end.message;
  for (const auto& [segment, by] : trial.made) EXPECT_EQ(by.size(), 2u) << segment;
  EXPECT_EQ(failed_on.size(), 8u);
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
