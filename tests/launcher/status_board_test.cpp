// What the board makes of what it is told, by a clock of the test's.
#include "status_board.hpp"

#include "vsr/status/terminal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace vsr::launcher {
namespace {

using cluster::Piece;
using cluster::Task;
using cluster::Work;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kSegments = 4;  // of 100 frames, with a halo of 10

RunFacts facts(bool in_chunks = false, bool encode_follows = false) {
  RunFacts facts{.hosts = {"pod-a", "pod-b"}, .encode_follows = encode_follows};
  facts.run.in_chunks = in_chunks;
  for (int i = 0; i < kSegments; ++i) {
    Segment segment{.index = i, .core = {100 * i, 100 * (i + 1)}, .input = {0, 0}};
    segment.input = {std::max<std::int64_t>(0, 100 * i - 10),
                     std::min<std::int64_t>(400, 100 * (i + 1) + 10)};
    facts.segments.push_back(segment);
  }
  return facts;
}

class Board : public ::testing::Test {
 protected:
  void pass(double seconds) {
    now_ += std::chrono::duration_cast<StatusBoard::Clock::duration>(
        std::chrono::duration<double>(seconds));
  }

  // What rank 1 says of a piece that it has in hand.
  static std::string in_hand(const std::string& kind, int segment, std::int64_t frame) {
    status::RankStatus status{.rank = 1, .host = "pod-b", .state = "working"};
    status.work.push_back({.kind = kind, .segment = segment, .frame = frame, .frames = 120});
    return encode({.status = status, .notices = {}});
  }

  static store::Record record(int segment, std::vector<float> quality = {}) {
    store::Record record;
    record.segment = facts().segments.at(static_cast<std::size_t>(segment));
    record.bytes = 1000;
    record.rank = 1;
    record.host = "pod-b";
    record.attempt = 2;
    record.wall_s = 12;
    record.measures.back_projection_db = std::move(quality);
    return record;
  }

  static Ledger nothing() { return Ledger(kSegments); }

  static std::string states(const status::RunStatus& run) {
    std::string letters;
    for (const auto& segment : run.segments) letters += status::state_letter(segment.state);
    return letters;
  }

  StatusBoard::Clock::time_point now_{};
  RankTeller own_{{.rank = 0, .host = "pod-a", .cpus = 2, .gpu = "", .gpu_id = ""},
                  [this] { return now_; }};
};

TEST_F(Board, BeforeTheFirstListItIsPlanning) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.tick();
  const status::RunStatus run = board.status();
  EXPECT_EQ(run.state, "planning");
  EXPECT_EQ(run.segments_total, kSegments);
  EXPECT_EQ(run.frames_total, 400);
  EXPECT_EQ(states(run), "wwww");
  EXPECT_EQ(run.upscale_fps, -1);
  EXPECT_EQ(run.left_s, -1);
  EXPECT_THAT(run.ranks, SizeIs(2));
}

TEST_F(Board, WhereNobodyUpscalesItSaysSoAndNoTimeIsKnown) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  board.progress({.done = 1,
                  .total = kSegments,
                  .frames_done = 100,
                  .frames = 400,
                  .upscaling = {.frames = 100, .worker_s = 10, .workers = 1},
                  .encoding = {.frames = 100, .worker_s = 50, .workers = 1},
                  .ranks = 2});
  EXPECT_GT(board.status().left_s, 0);
  board.nobody_upscales(true);
  EXPECT_EQ(board.status().state, "working") << "a pause is for want of room";
  EXPECT_THAT(board.status().message, HasSubstr("nobody upscales"));
  EXPECT_EQ(board.status().left_s, -1);
  EXPECT_EQ(board.status().limit, "");
  board.nobody_upscales(false);
  EXPECT_EQ(board.status().message, "");
  EXPECT_GT(board.status().left_s, 0);
  board.nobody_upscales(true);
  board.end("done", "");
  EXPECT_EQ(board.status().message, "");
}

TEST_F(Board, APieceGoesThroughItsStates) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  board.begun(1, Task{Work::kUpscale, 2, 3});
  EXPECT_EQ(states(board.status()), "wwuw");
  EXPECT_EQ(board.status().segments[2].rank, 1);
  EXPECT_EQ(board.status().segments[2].host, "pod-b");
  EXPECT_EQ(board.status().segments[2].attempt, 3);
  board.over(1, {Work::kUpscale, 2}, false);
  EXPECT_EQ(states(board.status()), "wwww");
  board.begun(0, Task{Work::kUpscale, 2});
  board.over(0, {Work::kUpscale, 2}, true);
  EXPECT_EQ(states(board.status()), "wwUw");
  board.begun(0, Task{Work::kEncode, 2});
  EXPECT_EQ(states(board.status()), "wwew");
  board.over(0, {Work::kEncode, 2}, true);
  EXPECT_EQ(states(board.status()), "wwdw");
  const status::RunStatus run = board.status();
  EXPECT_EQ(run.segments_upscaled, 1);
  EXPECT_EQ(run.segments_encoded, 1);
  EXPECT_EQ(run.frames_upscaled, 100);
  EXPECT_EQ(run.frames_encoded, 100);
}

TEST_F(Board, WithoutChunksWhatIsUpscaledIsDone) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.begun(0, Task{Work::kUpscale, 0});
  board.over(0, {Work::kUpscale, 0}, true);
  EXPECT_EQ(states(board.status()), "dwww");
}

// A rank that was lost and one that took over have it at the same time.
TEST_F(Board, APieceIsInHandAsLongAsAnybodyHasIt) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.begun(1, Task{Work::kUpscale, 0});
  board.begun(0, Task{Work::kUpscale, 0});
  board.over(1, {Work::kUpscale, 0}, false);
  EXPECT_EQ(states(board.status()), "uwww");
  board.over(0, {Work::kUpscale, 0}, false);
  EXPECT_EQ(states(board.status()), "wwww");
}

TEST_F(Board, FramesInHandCountWithoutTheHalo) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  board.begun(1, Task{Work::kUpscale, 1});
  board.said(1, in_hand("segment", 1, 30));
  EXPECT_EQ(board.status().frames_upscaled, 20);
  board.over(1, {Work::kUpscale, 1}, true);
  EXPECT_EQ(board.status().frames_upscaled, 100) << "not twice";
  board.said(1, in_hand("chunk", 1, 30));
  EXPECT_EQ(board.status().frames_encoded, 30);
  board.said(1, in_hand("segment", 77, 30));  // of another plan: nonsense is no harm
  board.said(1, "nonsense");
  EXPECT_EQ(board.status().frames_upscaled, 100);
}

TEST_F(Board, RatesAreOfTheLastTenSecondsAndOfThisStart) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  Ledger kept = nothing();
  kept[0] = record(0);
  board.begin_list(kept, {});
  board.begun(1, Task{Work::kUpscale, 1});
  board.tick();
  for (int second = 1; second <= 20; ++second) {
    pass(1);
    // Two frames a second, then four; the first ten are halo.
    board.said(1, in_hand("segment", 1, 10 + (second <= 10 ? 2 * second : 4 * second - 20)));
    board.tick();
  }
  const status::RunStatus run = board.status();
  EXPECT_EQ(run.frames_upscaled, 160);
  EXPECT_DOUBLE_EQ(run.upscale_fps, 4);
  EXPECT_DOUBLE_EQ(run.upscale_fps_mean, 3) << "what was kept does not count";
  EXPECT_DOUBLE_EQ(run.left_s, 80) << "as long as nothing better is told";
  EXPECT_DOUBLE_EQ(run.elapsed_s, 20);
}

// When all is upscaled the mean stays what it was.
TEST_F(Board, TheMeanEndsWithTheLastFrame) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  board.tick();
  pass(10);
  for (int i = 0; i < kSegments; ++i) {
    board.begun(0, Task{Work::kUpscale, i});
    board.over(0, {Work::kUpscale, i}, true);
  }
  board.tick();
  pass(90);
  board.tick();
  pass(1);
  board.tick();
  EXPECT_DOUBLE_EQ(board.status().upscale_fps_mean, 40);
  EXPECT_DOUBLE_EQ(board.status().upscale_fps, 0);
}

TEST_F(Board, WhatOtherJobsMakeIsNoneOfThisOnesSpeed) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.tick();
  pass(5);
  board.made_elsewhere({Work::kUpscale, 3});
  board.made_elsewhere({Work::kUpscale, 3});
  board.tick();
  EXPECT_EQ(board.status().frames_upscaled, 100);
  EXPECT_EQ(board.status().upscale_fps, 0);
  EXPECT_EQ(states(board.status()), "wwwd");
}

TEST_F(Board, TheTimeLeftGoesDownBetweenTwoPieces) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.progress({.done = 1,
                  .encoded = 4,
                  .total = 4,
                  .frames_done = 100,
                  .frames_encoded = 400,
                  .frames = 400,
                  .upscaling = {.frames = 100, .worker_s = 50, .workers = 1},
                  .ranks = 2});
  EXPECT_DOUBLE_EQ(board.status().left_s, 150);
  pass(20);
  EXPECT_DOUBLE_EQ(board.status().left_s, 130);
  pass(1000);
  EXPECT_DOUBLE_EQ(board.status().left_s, 0);
}

// A chunk may take half an hour.
TEST_F(Board, BeforeTheFirstChunkTheTimeLeftIsByFramesThatAreEncoded) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  pass(10);
  for (int i = 0; i < 2; ++i) {
    board.begun(0, Task{Work::kUpscale, i});
    board.over(0, {Work::kUpscale, i}, true);
  }
  board.begun(1, Task{Work::kEncode, 0});
  board.tick();
  const auto encode = [&](int from, int to) {
    for (int second = from; second <= to; ++second) {
      pass(1);
      board.said(1, in_hand("chunk", 0, 4 * second));
      board.tick();
    }
  };
  encode(1, 20);
  EXPECT_EQ(board.status().frames_encoded, 80);
  EXPECT_EQ(board.status().left_s, -1) << "too few";
  encode(21, 25);
  const status::RunStatus run = board.status();
  EXPECT_DOUBLE_EQ(run.encode_fps, 4);
  EXPECT_DOUBLE_EQ(run.left_s, 75) << "300 frames at four a second";
}

// What others upscale comes at a pace that nobody knows at first.
TEST_F(Board, BeforeThePaceOfOthersIsKnownNoTimeIsUnlessAllIsUpscaled) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  for (int i = 0; i < 3; ++i) board.made_elsewhere({Work::kUpscale, i});
  for (int i = 0; i < 2; ++i) board.begun(1, Task{Work::kEncode, i});
  for (int second = 0; second <= 30; ++second) {
    board.said(1, in_hand("chunk", 0, 4 * second));
    board.tick();
    pass(1);
  }
  EXPECT_GT(board.status().encode_fps, 0);
  EXPECT_EQ(board.status().left_s, -1);
  board.made_elsewhere({Work::kUpscale, 3});
  EXPECT_GT(board.status().left_s, 0);
}

// What is told after a piece counts those in hand as if they were to be made from the begin.
TEST_F(Board, WhereAllIsInHandTheFramesTellTheTimeLeft) {
  StatusBoard board(facts(true), own_, [this] { return now_; });
  board.begin_list(nothing(), nothing());
  for (int i = 0; i < kSegments; ++i) {
    board.begun(0, Task{Work::kUpscale, i});
    board.over(0, {Work::kUpscale, i}, true);
  }
  for (int i = 0; i < kSegments - 1; ++i) {
    board.begun(0, Task{Work::kEncode, i});
    board.over(0, {Work::kEncode, i}, true);
  }
  board.progress({.done = 4,
                  .encoded = 3,
                  .total = 4,
                  .frames_done = 400,
                  .frames_encoded = 300,
                  .frames = 400,
                  .encoding = {.frames = 300, .worker_s = 300, .workers = 1},
                  .ranks = 2});
  board.tick();
  for (int second = 1; second <= 10; ++second) {
    pass(1);
    if (second == 1) {
      EXPECT_DOUBLE_EQ(board.status().left_s, 99) << "told a second ago";
      board.begun(1, Task{Work::kEncode, 3});
    }
    board.said(1, in_hand("chunk", 3, 8 * second));
    board.tick();
  }
  EXPECT_DOUBLE_EQ(board.status().left_s, 20.0 / 8);
}

TEST_F(Board, RanksThatAreNotHeardOfAreSilentAndThoseThatLeaveHaveLeft) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  pass(100);  // planning, in which nobody speaks
  board.begin_list(nothing(), {});
  board.said(1, in_hand("segment", 1, 30));
  EXPECT_EQ(board.status().ranks[1].state, "working");
  pass(11);
  EXPECT_EQ(board.status().ranks[1].state, "silent");
  EXPECT_DOUBLE_EQ(board.status().ranks[1].silent_s, 11);
  board.said(1, in_hand("segment", 1, 30));
  EXPECT_EQ(board.status().ranks[1].state, "working");
  board.left(1);
  EXPECT_EQ(board.status().ranks[1].state, "left");
  EXPECT_THAT(board.status().ranks[1].work, SizeIs(0));
}

// While the film is joined rank 0 listens to nobody.
TEST_F(Board, NobodyIsSilentWhileTheFilmIsJoined) {
  StatusBoard board(facts(false, true), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.said(1, in_hand("segment", 1, 30));
  board.joining(0);
  board.tick();
  pass(100);
  board.joining(200);
  board.tick();
  const status::RunStatus run = board.status();
  EXPECT_EQ(run.state, "joining");
  EXPECT_EQ(run.ranks[1].state, "idle");
  EXPECT_EQ(run.frames_encoded, 200);
  EXPECT_DOUBLE_EQ(run.encode_fps, 2);
  EXPECT_DOUBLE_EQ(run.left_s, 100);
}

TEST_F(Board, ARunWithoutRoomIsPausedWhenNothingIsInHand) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.begun(0, Task{Work::kUpscale, 0});
  board.waits_for_room(true);
  EXPECT_EQ(board.status().state, "working");
  board.over(0, {Work::kUpscale, 0}, true);
  EXPECT_EQ(board.status().state, "paused");
  EXPECT_THAT(board.status().message, HasSubstr("no room"));
  board.waits_for_room(false);
  EXPECT_EQ(board.status().state, "working");
}

// A disk that fills up while the film is joined, too; and nobody says so before it is known.
TEST_F(Board, AFilmThatWaitsForRoomIsPaused) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.joining(0);
  EXPECT_EQ(board.status().state, "joining");
  board.waits_for_room(true);
  EXPECT_EQ(board.status().state, "paused");
  board.joining(0);
  EXPECT_EQ(board.status().state, "joining");
}

TEST_F(Board, QualityIsTheMeanOfTheFramesMeasured) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  board.record({Work::kUpscale, 1}, record(1, {40, kNone, 36}));
  board.record({Work::kUpscale, 2}, record(2, {30}));
  board.record({Work::kUpscale, 3}, record(3, {kNone}));
  const status::RunStatus run = board.status();
  EXPECT_EQ(run.frames_measured, 3);
  EXPECT_NEAR(run.quality_db, (40 + 36 + 30) / 3.0, 1e-6);
  EXPECT_DOUBLE_EQ(run.worst_db, 30);
  EXPECT_EQ(run.worst_frame, 200);
  EXPECT_DOUBLE_EQ(run.segments[1].quality_db, 38);
  EXPECT_EQ(run.segments[1].worst_frame, 102);
  EXPECT_EQ(run.segments[3].quality_db, -1);
  EXPECT_EQ(run.bytes_written, 3000);
  EXPECT_EQ(run.segments[1].wall_s, 12);
  EXPECT_EQ(run.latest_preview, -1);
}

TEST_F(Board, TheLatestPreviewIsOfTheLastRecordThatHasOne) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  store::Record with = record(2);
  with.previews.emplace_back();
  board.record({Work::kUpscale, 2}, with);
  board.record({Work::kUpscale, 3}, record(3));
  EXPECT_EQ(board.status().latest_preview, 2);
  EXPECT_TRUE(board.status().segments[2].has_preview);
}

TEST_F(Board, TheHistoryStaysShort) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  for (int second = 0; second < 20'000; ++second) {
    pass(1);
    board.tick();
  }
  const auto history = board.status().history;
  EXPECT_LE(history.size(), 240u);
  EXPECT_GE(history.size(), 100u);
  EXPECT_LT(history.front().elapsed_s, 10);
  EXPECT_GT(history.back().elapsed_s, 19'800);
}

TEST_F(Board, NoticesOfOtherRanksAreKeptAndHeard) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  std::vector<std::string> heard;
  board.on_notice([&](const status::Notice& notice) { heard.push_back(notice.text); });
  RankTeller other({.rank = 1, .host = "pod-b", .cpus = 1, .gpu = "", .gpu_id = ""});
  other.notice("warning", "media: a frame is damaged");
  board.said(1, other.told());
  board.said(1, other.told());
  board.tick();
  EXPECT_THAT(heard, ElementsAre("media: a frame is damaged"));
  for (int i = 0; i < 150; ++i) board.notice({"", "warning", 0, std::to_string(i)});
  const auto notices = board.status().notices;
  EXPECT_THAT(notices, SizeIs(100));
  EXPECT_EQ(notices.back().text, "149");
}

// Nobody may look for hours, while a rank speaks every second.
TEST_F(Board, OfWhatARankSaysTheLatestIsKeptAndNoticesAreNotWithoutEnd) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  std::size_t heard = 0;
  board.on_notice([&](const status::Notice&) { ++heard; });
  RankTeller other({.rank = 1, .host = "pod-b", .cpus = 1, .gpu = "", .gpu_id = ""});
  for (int i = 0; i < 1000; ++i) {
    other.notice("warning", std::string(1000, 'x'));
    board.said(1, other.told());
  }
  board.said(1, in_hand("segment", 1, 30));
  EXPECT_EQ(board.status().frames_upscaled, 20);
  EXPECT_GT(heard, 100u);
  EXPECT_LT(heard, 300u);
}

// Another job may have made the film and discarded the pieces before anybody has read their
// records.
TEST_F(Board, WhenTheFilmIsMadeEverySegmentIs) {
  for (const bool in_chunks : {false, true}) {
    StatusBoard board(facts(in_chunks), own_, [this] { return now_; });
    board.begin_list(nothing(), in_chunks ? nothing() : Ledger());
    board.begun(0, Task{Work::kUpscale, 0});
    board.end("done", "");
    const status::RunStatus run = board.status();
    EXPECT_EQ(states(run), "dddd");
    EXPECT_EQ(run.frames_upscaled, 400);
    EXPECT_EQ(run.frames_encoded, 400);
    EXPECT_EQ(run.segments_upscaled, kSegments);
    EXPECT_EQ(run.segments_encoded, in_chunks ? kSegments : 0);
  }
}

TEST_F(Board, TheEndIsToldWithItsReason) {
  StatusBoard board(facts(), own_, [this] { return now_; });
  board.begin_list(nothing(), {});
  board.said(1, in_hand("segment", 1, 30));
  board.end("failed", "no such film");
  pass(100);
  const status::RunStatus run = board.status();
  EXPECT_EQ(run.state, "failed");
  EXPECT_EQ(run.message, "no such film");
  EXPECT_EQ(run.left_s, -1);
  EXPECT_EQ(run.ranks[1].state, "idle");
}

}  // namespace
}  // namespace vsr::launcher
