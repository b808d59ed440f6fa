// What is said of a run on its way, from rates of its own.
#include "progress_teller.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::launcher {
namespace {

// 120 segments of 480 frames, on one GPU of 61 frames a second and eight encoders of 0.26.
cluster::Progress usual() {
  return {.done = 32,
          .encoded = 11,
          .total = 120,
          .frames_done = 32 * 480,
          .frames_encoded = 11 * 480,
          .frames = 120 * 480,
          .upscaling = {.frames = 32 * 480, .worker_s = 32 * 480 / 61.0, .workers = 1},
          .encoding = {.frames = 11 * 480, .worker_s = 11 * 480 / 0.2625, .workers = 8},
          .ranks = 1};
}

TEST(ProgressText, NamesTheEncoders) {
  EXPECT_EQ(
      progress_text(usual(), false),
      "32 of 120 segments, 11 encoded; about 6 h 55 min left, by the encoders (2.1 fps against "
      "61 of upscaling): twice the cores would halve it");
}

TEST(ProgressText, NamesUpscaling) {
  cluster::Progress now = usual();
  now.encoding.worker_s /= 100;
  now.upscaling.worker_s *= 60;
  EXPECT_EQ(progress_text(now, false),
            "32 of 120 segments, 11 encoded; about 12 h left, by upscaling (1.0 fps against 210 of "
            "the encoders)");
}

TEST(ProgressText, SaysNothingOfALimitWhereThereIsNone) {
  cluster::Progress now = usual();
  now.upscaling.worker_s *= 24;  // 42,240 frames at 2.5 a second, 52,320 at 2.1: 4 h 37, 6 h 55
  now.encoding.worker_s *= 0.7;
  EXPECT_EQ(progress_text(now, false), "32 of 120 segments, 11 encoded; about 4 h 51 min left");
}

TEST(ProgressText, DoesNotPromiseMoreThanTheOtherStageAllows) {
  cluster::Progress now = usual();
  now.upscaling.worker_s *= 20;  // 3 h 51 min
  EXPECT_THAT(progress_text(now, false), ::testing::EndsWith("against 3.0 of upscaling)"));
}

// A list that begins with a long segment and ends with short ones.
TEST(ProgressText, CountsFramesAndNotSegments) {
  cluster::Progress now{.done = 1,
                        .total = 11,
                        .frames_done = 1000,
                        .frames = 2000,
                        .upscaling = {.frames = 1000, .worker_s = 100, .workers = 1}};
  now.encoded = now.total;  // no chunks
  now.frames_encoded = now.frames;
  EXPECT_EQ(progress_text(now, false), "1 of 11 segments; about 1 min 40 s left");
}

TEST(ProgressText, ResumedWorkDoesNotSpeedItUp) {
  cluster::Progress now = usual();
  now.frames_done = 110 * 480;  // of which this start made 32 segments
  now.done = 110;
  now.frames_encoded = 100 * 480;
  now.encoded = 100;
  EXPECT_EQ(progress_text(now, false),
            "110 of 120 segments, 100 encoded; about 76 min left, by the encoders (2.1 fps against "
            "61 of upscaling): twice the cores would halve it");
}

TEST(ProgressText, WhenAllIsUpscaledNothingIsCompared) {
  cluster::Progress now = usual();
  now.done = 120;
  now.frames_done = now.frames;
  EXPECT_EQ(progress_text(now, false),
            "120 of 120 segments, 11 encoded; about 6 h 55 min left, by the encoders (2.1 fps): "
            "twice the cores would halve it");
}

TEST(ProgressText, TheLastChunkIsOneEncoders) {
  cluster::Progress now = usual();
  now.done = 120;
  now.frames_done = now.frames;
  now.encoded = 119;
  now.frames_encoded = 119 * 480;
  EXPECT_THAT(progress_text(now, false), ::testing::HasSubstr("about 30 min left"));
  EXPECT_THAT(progress_text(now, false), ::testing::Not(::testing::HasSubstr("twice")));
}

TEST(ProgressText, BeforeAnyRateIsKnown) {
  cluster::Progress now = usual();
  now.encoding = {.workers = 8};
  now.encoded = 0;
  now.frames_encoded = 0;
  EXPECT_EQ(progress_text(now, false),
            "32 of 120 segments, 0 encoded; about 12 min of upscaling left");
  now.upscaling = {.workers = 1};
  EXPECT_EQ(progress_text(now, false), "32 of 120 segments, 0 encoded");
}

// A job that only encodes, before it has seen two segments of others come.
TEST(ProgressText, WhileNothingIsKnownOfUpscalingNothingIsOfTheWhole) {
  cluster::Progress now = usual();
  now.upscaling = {.workers = 1};
  EXPECT_EQ(progress_text(now, false), "32 of 120 segments, 11 encoded");
  EXPECT_EQ(seconds_left(now, false), -1);
  EXPECT_EQ(limit_of(now, false), "");
  now.done = now.total;
  now.frames_done = now.frames;
  EXPECT_GT(seconds_left(now, false), 0) << "nothing is left of it";
}

TEST(ProgressText, AnEncodeThatFollowsIsNotCounted) {
  cluster::Progress now = usual();
  now.encoded = now.total;
  now.frames_encoded = now.frames;
  EXPECT_EQ(progress_text(now, true), "32 of 120 segments; about 12 min of upscaling left");
}

}  // namespace
}  // namespace vsr::launcher
