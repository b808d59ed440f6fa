#include "run_gate.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace vsr::launcher {
namespace {

using Answer = cluster::Gate::Answer;
using cluster::Piece;
using cluster::Work;

constexpr double kPatience = 60;

// A run of four segments, chunks of which are wanted, without pictures.
class Gate : public ::testing::Test {
 protected:
  Gate() : directory_(folder_.path() / "run") {
    plan_.timeline_frames = 40;
    plan_.segments = plan_segments(40, {10, 2});
    chunk_plan_ = plan_;
    chunk_plan_.identity["chunks"] = "yes";
  }

  // A job that works here.
  struct Job {
    Job(const store::RunDirectory& directory,
        const store::Plan& plan,
        const store::Plan& chunk_plan,
        std::function<bool()> film_made,
        double bytes)
        : leases(directory, kPatience),
          space(directory.root(), 0),
          gate(directory,
               leases,
               space,
               {{Work::kEncode,
                 {store::Piece::kChunk, media::MezzanineCodec::kNone, chunk_plan},
                 std::vector<bool>(plan.segments.size(), false),
                 [bytes](const Segment&) { return bytes; }},
                {Work::kUpscale,
                 {store::Piece::kSegment, media::MezzanineCodec::kProres, plan},
                 std::vector<bool>(plan.segments.size(), false),
                 [bytes](const Segment&) { return bytes; }}},
               std::move(film_made)) {}

    RunLeases leases;
    Space space;
    RunGate gate;
  };

  std::unique_ptr<Job> job(double bytes = 1) {
    return std::make_unique<Job>(
        directory_, plan_, chunk_plan_, [this] { return film_made_.load(); }, bytes);
  }

  store::Record commit(int segment, store::Piece piece) {
    const store::Plan& plan = piece == store::Piece::kChunk ? chunk_plan_ : plan_;
    store::Record record;
    record.segment = plan.segments.at(static_cast<std::size_t>(segment));
    record.plan_fingerprint = plan.fingerprint();
    record.frames = plan.held(record.segment).size();
    record.checksums.assign(static_cast<std::size_t>(record.frames), 1);
    record.bytes = 8;
    const auto file = directory_.new_file(segment, ".mov", piece);
    record.file = file.filename().string();
    write_file(file, "pictures");
    EXPECT_TRUE(directory_.commit(plan, record, piece));
    return record;
  }

  // Until there is some, for as long as it may take.
  static std::vector<Piece> news(RunGate& gate) {
    std::vector<Piece> news;
    for (int i = 0; i < 100 && news.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      news = gate.news();
    }
    return news;
  }

  test::TemporaryFolder folder_;
  store::RunDirectory directory_;
  store::Plan plan_;
  store::Plan chunk_plan_;
  std::atomic<bool> film_made_ = false;
};

TEST_F(Gate, APieceIsOneJobsUntilItIsOver) {
  const auto one = job();
  const auto two = job();
  const Piece piece{Work::kUpscale, 2};
  EXPECT_EQ(one->gate.ask(piece), Answer::kYes);
  EXPECT_EQ(one->gate.ask(piece), Answer::kYes) << "as often as it asks";
  EXPECT_EQ(two->gate.ask(piece), Answer::kTakenElsewhere);
  EXPECT_EQ(two->gate.ask({Work::kUpscale, 3}), Answer::kYes);
  EXPECT_EQ(two->gate.ask({Work::kEncode, 2}), Answer::kYes) << "another piece of that segment";
  one->gate.over(piece, false);
  EXPECT_EQ(two->gate.ask(piece), Answer::kYes);
}

TEST_F(Gate, WhatWasJustCommittedIsNotBegunAgain) {
  const auto one = job();
  commit(1, store::Piece::kSegment);
  EXPECT_EQ(one->gate.ask({Work::kUpscale, 1}), Answer::kTakenElsewhere);
  EXPECT_EQ(one->gate.ask({Work::kEncode, 1}), Answer::kYes);
  const auto record = commit(2, store::Piece::kSegment);
  commit(2, store::Piece::kChunk);
  directory_.discard_file(record);  // as segment.keep = off does
  EXPECT_EQ(one->gate.ask({Work::kUpscale, 2}), Answer::kTakenElsewhere);
}

TEST_F(Gate, CommitsOfOthersAreNews) {
  const auto one = job();
  commit(1, store::Piece::kSegment);
  auto told = news(one->gate);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].work, Work::kUpscale);
  EXPECT_EQ(told[0].segment, 1);
  const auto record = commit(3, store::Piece::kSegment);
  commit(3, store::Piece::kChunk);
  directory_.discard_file(record);
  told = news(one->gate);
  ASSERT_EQ(told.size(), 1u) << "the chunk stands for its segment";
  EXPECT_EQ(told[0].work, Work::kEncode);
  EXPECT_EQ(told[0].segment, 3);
  EXPECT_TRUE(one->gate.news().empty()) << "once";
  EXPECT_FALSE(one->gate.film_made());
  film_made_ = true;
  for (int i = 0; i < 100 && !one->gate.film_made(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_TRUE(one->gate.film_made());
}

TEST_F(Gate, ARecordThatDoesNotHoldIsNoNews) {
  const auto one = job();
  write_file(directory_.record_file(0), "torn");
  commit(1, store::Piece::kSegment);
  const auto told = news(one->gate);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].segment, 1);
}

TEST_F(Gate, NothingIsBegunThatTheDiskDoesNotHold) {
  const double free = static_cast<double>(free_bytes(directory_.root()));
  const auto one = job(0.6 * free);
  const auto two = job();
  EXPECT_EQ(one->gate.ask({Work::kUpscale, 0}), Answer::kYes);
  EXPECT_EQ(one->gate.ask({Work::kUpscale, 1}), Answer::kNoRoom) << "with what is begun";
  EXPECT_EQ(two->gate.ask({Work::kUpscale, 1}), Answer::kYes) << "it is not held meanwhile";
  two->gate.over({Work::kUpscale, 1}, false);
  one->gate.over({Work::kUpscale, 0}, false);
  EXPECT_EQ(one->gate.ask({Work::kUpscale, 1}), Answer::kYes);
}

TEST_F(Gate, AfterAFullDiskTheEstimateGrows) {
  const double free = static_cast<double>(free_bytes(directory_.root()));
  Space space(directory_.root(), 0);
  EXPECT_TRUE(space.begin("segment 0", 0.8 * free));
  space.over("segment 0", true);
  EXPECT_FALSE(space.begin("segment 0", 0.1 * free)) << "not at once";
  std::this_thread::sleep_for(std::chrono::milliseconds(5200));
  EXPECT_FALSE(space.begin("segment 0", 0.8 * free)) << "half as much again is wanted";
  std::this_thread::sleep_for(std::chrono::milliseconds(5200));
  EXPECT_TRUE(space.begin("segment 0", 0.1 * free));
}

TEST_F(Gate, AJobThatOnlyEncodesIsAJobAndNoUpscaler) {
  std::atomic<int> stop = 0;
  RunLeases encodes(directory_, 6, true);
  RunLeases upscales(directory_, 6);
  EXPECT_TRUE(is_job_lease(encodes.job()));
  EXPECT_NE(encodes.job(), upscales.job());
  EXPECT_TRUE(upscales.another_living_job(stop)) << "so that it is not started over beneath it";
  EXPECT_FALSE(upscales.another_upscaler());
  EXPECT_TRUE(encodes.another_upscaler());
}

// Two jobs that begin together: the second one waits for the start lease while the first compares
// itself with what an earlier job has left.
TEST_F(Gate, AJobThatIsAboutToBeginMakesNoFilmYet) {
  std::atomic<int> stop = 0;
  RunLeases one(directory_, 6);
  RunLeases two(directory_, 6, true);
  EXPECT_FALSE(one.another_film_maker(stop));
  two.makes_film();
  const auto other = one.another_film_maker(stop);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->pid, getpid());
  EXPECT_FALSE(two.another_film_maker(stop));
  EXPECT_EQ(one.jobs().size(), 2u) << "that is no job of its own";
}

TEST_F(Gate, EveryLookTellsHowManySegmentsAreMissing) {
  RunLeases leases(directory_, kPatience);
  Space space(directory_.root(), 0);
  std::atomic<int> missing = -1;
  const auto nothing = [](const Segment&) { return 1.0; };
  commit(1, store::Piece::kSegment);
  const auto record = commit(2, store::Piece::kSegment);
  commit(2, store::Piece::kChunk);
  directory_.discard_file(record);
  RunGate gate(
      directory_,
      leases,
      space,
      {{Work::kEncode,
        {store::Piece::kChunk, media::MezzanineCodec::kNone, chunk_plan_},
        std::vector<bool>(4, false),
        nothing},
       {Work::kUpscale,
        {store::Piece::kSegment, media::MezzanineCodec::kProres, plan_},
        std::vector<bool>(4, false),
        nothing}},
      [] { return false; },
      [&](int segments) {
        missing = segments;
        return false;
      });
  EXPECT_TRUE(gate.others_upscale()) << "until it is known";
  for (int i = 0; i < 100 && gate.others_upscale(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(missing, 2) << "one is there, and of another the chunk";
  EXPECT_FALSE(gate.others_upscale());
}

TEST_F(Gate, JobsKnowOfEachOtherAndBuryTheDead) {
  std::atomic<int> stop = 0;
  RunLeases one(directory_, 6);
  EXPECT_FALSE(one.another_job());
  {
    RunLeases two(directory_, 6);
    const auto other = one.another_living_job(stop);
    ASSERT_TRUE(other);
    EXPECT_EQ(other->pid, getpid());
    EXPECT_TRUE(two.take(kFinalLease));
    EXPECT_FALSE(one.wait_for(kFinalLease, "for a test", stop, [] { return true; }));
    stop = 1;
    EXPECT_FALSE(one.wait_for(kFinalLease, "for a test", stop));
    stop = 0;
  }
  EXPECT_FALSE(one.another_job()) << "it has left";
  EXPECT_TRUE(one.wait_for(kFinalLease, "for a test", stop));
  // Of a process that is no more; this host's, so that it is known at once.
  const pid_t child = fork();
  if (child == 0) {
    (new RunLeases(directory_, 6))->take("chunk-0002");  // committed, perhaps, and not released
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(directory_.leases_dir()), {});
  };
  EXPECT_EQ(files(), 4) << "one's, final, and the dead one's two";
  EXPECT_FALSE(one.another_living_job(stop));
  one.bury_dead_jobs();
  EXPECT_EQ(files(), 2);
}

}  // namespace
}  // namespace vsr::launcher
