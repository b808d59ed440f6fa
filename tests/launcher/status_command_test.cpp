// What several jobs that share a run come to.
#include "status_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::launcher {
namespace {

status::RunStatus a_job(int rank, const std::string& host) {
  status::RunStatus run;
  run.state = "working";
  run.job_name = host;
  run.host = host;
  run.in_chunks = true;
  run.segments_total = 2;
  run.frames_total = 200;
  run.segments = {{.index = 0, .begin = 0, .end = 100, .state = "upscaled"},
                  {.index = 1, .begin = 100, .end = 200, .state = "waiting"}};
  run.segments_upscaled = 1;
  run.frames_upscaled = 100;
  run.upscale_fps = 3;
  run.left_s = 100;
  status::RankStatus worker{.rank = rank, .host = host, .state = "working"};
  run.ranks.push_back(worker);
  run.notices.push_back({host, "warning", rank, "of " + host});
  return run;
}

TEST(Joined, RatesAndRanksAddUpAndPiecesDoNot) {
  status::RunStatus a = a_job(0, "a");
  status::RunStatus b = a_job(0, "b");
  // Of its input the first ten frames are halo.
  a.ranks[0].work.push_back({.kind = "segment", .segment = 1, .frame = 30, .frames = 110});
  b.ranks[0].work.push_back({.kind = "chunk", .segment = 0, .frame = 40, .frames = 100});
  b.upscale_fps = -1;
  b.left_s = 300;
  const status::RunStatus all = joined({a, b});
  EXPECT_EQ(all.frames_upscaled, 120);
  EXPECT_EQ(all.frames_encoded, 40);
  EXPECT_DOUBLE_EQ(all.upscale_fps, 3);
  EXPECT_DOUBLE_EQ(all.left_s, 75);
  EXPECT_EQ(all.ranks.size(), 2u);
  EXPECT_EQ(all.notices.size(), 2u);
  EXPECT_EQ(all.state, "working");
}

TEST(Joined, OfPiecesInHandTheFilmsOwnFramesCountOnce) {
  status::RunStatus a = a_job(0, "a");
  status::RunStatus b = a_job(0, "b");
  // One that is made already, and one of which nothing but the halo is done.
  a.ranks[0].work.push_back({.kind = "segment", .segment = 0, .frame = 110, .frames = 110});
  b.ranks[0].work.push_back({.kind = "segment", .segment = 1, .frame = 5, .frames = 110});
  b.ranks[0].work.push_back({.kind = "segment", .segment = 77, .frame = 5, .frames = 110});
  EXPECT_EQ(joined({a, b}).frames_upscaled, 100);
  b.ranks[0].work[0].frame = 110;
  EXPECT_EQ(joined({a, b}).frames_upscaled, 200);
}

TEST(Joined, AHaloOnBothSidesIsNoneOfTheFilm) {
  status::RunStatus a = a_job(0, "a");
  a.frames_total = 300;
  a.segments.push_back({.index = 2, .begin = 200, .end = 300, .state = "waiting"});
  a.ranks[0].work.push_back({.kind = "segment", .segment = 1, .frame = 115, .frames = 120});
  EXPECT_EQ(joined({a, a_job(0, "b")}).frames_upscaled, 200);
  a.ranks[0].work[0].frame = 30;
  EXPECT_EQ(joined({a, a_job(0, "b")}).frames_upscaled, 120);
}

TEST(Joined, AJobThatWorksCountsMoreThanOneThatWaits) {
  status::RunStatus a = a_job(0, "a");
  a.segments_upscaled = 2;
  a.state = "paused";
  a.message = "no room";
  status::RunStatus b = a_job(0, "b");
  b.ranks[0].work.push_back({.kind = "chunk", .segment = 0, .frame = 40, .frames = 100});
  const status::RunStatus all = joined({a, b});
  EXPECT_EQ(all.state, "working");
  EXPECT_EQ(all.message, "");
}

TEST(Joined, AJobThatOnlyWaitsForSegmentsHidesNoPause) {
  status::RunStatus paused = a_job(0, "a");
  paused.state = "paused";
  paused.message = "no room";
  const status::RunStatus idle = a_job(0, "b");
  for (const auto& all : {joined({paused, idle}), joined({idle, paused})}) {
    EXPECT_EQ(all.state, "paused");
    EXPECT_EQ(all.message, "no room");
  }
  EXPECT_EQ(joined({idle, idle}).state, "working");
}

TEST(Joined, AJobThatWaitsForThePlanKnowsLessThanOneThatHasIt) {
  status::RunStatus waits;
  waits.state = "planning";
  waits.message = "waits for the plan";
  status::RunStatus begins = a_job(0, "a");
  begins.segments_upscaled = 0;
  for (const auto& all : {joined({waits, begins}), joined({begins, waits})}) {
    EXPECT_EQ(all.state, "working");
    EXPECT_EQ(all.segments_total, 2);
    EXPECT_EQ(all.message, "");
  }
}

TEST(Joined, EncodersMakeUpscalingNoShorter) {
  status::RunStatus upscales = a_job(0, "a");
  upscales.upscale_fps_mean = 0.5;  // of 100 frames that are left
  upscales.left_s = 200;
  status::RunStatus encodes = a_job(0, "b");
  encodes.left_s = 200;
  EXPECT_DOUBLE_EQ(joined({upscales, encodes, encodes}).left_s, 200);
  upscales.left_s = encodes.left_s = 3000;  // the encoders limit
  EXPECT_DOUBLE_EQ(joined({upscales, encodes, encodes}).left_s, 1000);
}

}  // namespace
}  // namespace vsr::launcher
