// What a dry run makes of what it measured.
#include "estimate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two hours at 25 frames a second; a GPU of 60 frames a second, and 16 cores that take 7.8
// core-seconds a frame.
Estimate usual() {
  Estimate estimate;
  estimate.upscaling = {.frames = 180'000, .fps = 60, .pieces = 375, .workers = 1};
  estimate.encoding = {.frames = 180'000, .fps = 16 / 7.8, .pieces = 375, .workers = 8};
  estimate.gpus = 1;
  estimate.cores = 16;
  estimate.core_s_frame = 7.8;
  return estimate;
}

TEST(Estimate, EncodersThatLimit) {
  const Estimate estimate = usual();
  EXPECT_NEAR(estimate.upscaling.seconds(), 3000, 1e-6);
  EXPECT_NEAR(estimate.seconds(), 87'750, 1e-6);
  EXPECT_EQ(whole_text(estimate),
            "about 24 h in all, limited by the encoders: with 16 more cores about 12 h; with about "
            "468 cores or more upscaling would be the limit");
}

TEST(Estimate, GpusThatLimit) {
  Estimate estimate = usual();
  estimate.upscaling.fps = 1;
  EXPECT_EQ(whole_text(estimate),
            "about 50 h in all, limited by upscaling: with one more GPU about 25 h; with 3 GPUs or "
            "more the encoders would be the limit");
}

TEST(Estimate, MoreThanTheOtherStageTakesIsNotPromised) {
  Estimate estimate = usual();
  estimate.upscaling.fps = 3;  // 16 h 40 min, where 16 cores more would encode in 12
  EXPECT_THAT(whole_text(estimate),
              HasSubstr("with 16 more cores about 17 h; with about 24 cores"));
  estimate.cores = 1600;  // 16 more are next to nothing
  EXPECT_THAT(whole_text(estimate), Not(HasSubstr("more cores")));
}

TEST(Estimate, StagesThatTakeAsLong) {
  Estimate estimate = usual();
  estimate.upscaling.fps = 2;
  EXPECT_EQ(whole_text(estimate), "about 25 h in all, upscaling and encoding take equally long");
}

TEST(Estimate, OneAfterTheOtherAndOnTheSameCoresTheyAddUp) {
  for (const Order order : {Order::kAfterwards, Order::kSameCores}) {
    Estimate estimate = usual();
    estimate.order = order;
    EXPECT_NEAR(estimate.seconds(), 90'750, 1e-6);
    EXPECT_EQ(whole_text(estimate),
              "about 25 h in all, limited by the encoders: with 16 more cores about 13 h");
  }
}

TEST(Estimate, NoMoreWorkersThanPiecesWork) {
  Stage stage{.frames = 100, .fps = 8, .pieces = 2, .workers = 8};
  EXPECT_NEAR(stage.seconds(), 50, 1e-9);
  stage.pieces = 8;
  EXPECT_NEAR(stage.seconds(), 12.5, 1e-9);
  stage.frames = 0;
  EXPECT_EQ(stage.seconds(), 0);
}

TEST(Estimate, WhatIsNotKnownIsSaid) {
  Estimate estimate = usual();
  estimate.upscaling.fps = 0;
  EXPECT_EQ(whole_text(estimate), "about 24 h at least, by the encoders; upscaling is not known");
  estimate.encoding.fps = 0;
  EXPECT_EQ(whole_text(estimate), "not known");
  estimate = usual();
  estimate.encoding.fps = 0;
  EXPECT_EQ(whole_text(estimate), "about 50 min at least, by upscaling; the encode is not known");
}

TEST(Estimate, OfWhatIsLeft) {
  Estimate estimate = usual();
  estimate.upscaling.frames = 0;
  EXPECT_EQ(whole_text(estimate),
            "about 24 h in all, by the encoders: with 16 more cores about 12 h");
  estimate.encoding.frames = 0;
  EXPECT_EQ(whole_text(estimate), "nothing is left but to join the film");
}

TEST(Estimate, ACpuThatUpscales) {
  Estimate estimate = usual();
  estimate.gpus = 0;
  estimate.order = Order::kSameCores;
  estimate.upscaling.fps = 0.1;
  EXPECT_THAT(whole_text(estimate),
              HasSubstr("limited by upscaling on the CPU: a GPU would be many times as fast"));
}

}  // namespace
}  // namespace vsr::launcher
