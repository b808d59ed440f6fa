// What a rank says of itself, by a clock of the test's.
#include "rank_teller.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const Segment kSegment{.index = 3, .core = {100, 200}, .input = {90, 210}};
const cluster::Task kUpscale{.work = cluster::Work::kUpscale, .segment = 3, .attempt = 2};
const cluster::Task kEncode{.work = cluster::Work::kEncode, .segment = 3};

class Teller : public ::testing::Test {
 protected:
  void pass(double seconds) {
    now_ += std::chrono::duration_cast<RankTeller::Clock::duration>(
        std::chrono::duration<double>(seconds));
  }

  RankTeller::Clock::time_point now_{};
  RankTeller teller_{{.rank = 1, .host = "pod", .cpus = 4, .gpu = "", .gpu_id = ""},
                     [this] { return now_; }};
};

TEST_F(Teller, OfNothingInHandItSaysIdle) {
  const status::RankStatus status = teller_.status();
  EXPECT_EQ(status.rank, 1);
  EXPECT_EQ(status.host, "pod");
  EXPECT_EQ(status.cpus, 4);
  EXPECT_EQ(status.state, "idle");
  EXPECT_EQ(status.limit, "");
  EXPECT_FALSE(status.gpu.has_value());
  EXPECT_EQ(status.fps, -1);
}

TEST_F(Teller, TellsAPieceInHandAsLongAsItIs) {
  {
    RankTeller::Hand segment(teller_, kUpscale, kSegment);
    RankTeller::Hand chunk(teller_, kEncode, kSegment);
    segment.gauge().segment.frames = 30;
    segment.gauge().segment.window = 1;
    segment.gauge().segment.windows = 5;
    segment.gauge().segment.decoded = 7;
    segment.gauge().segment.decoded_size = 16;
    chunk.gauge().encoded_frames = 12;
    const status::RankStatus status = teller_.status();
    EXPECT_EQ(status.state, "working");
    ASSERT_THAT(status.work, SizeIs(2));
    EXPECT_EQ(status.work[0], (status::WorkStatus{"segment", 3, 2, 30, 120, 1, 5}));
    EXPECT_EQ(status.work[1], (status::WorkStatus{"chunk", 3, 1, 12, 100, -1, -1}));
    ASSERT_THAT(status.queues, SizeIs(2));
    EXPECT_EQ(status.queues[0], (status::QueueStatus{"decoded", 7, 16}));
  }
  EXPECT_EQ(teller_.status().state, "idle");
}

// Of a segment's frames those of its core count.
TEST_F(Teller, FramesASecondAreOfTheLastTenSeconds) {
  teller_.status();
  auto hand = std::make_unique<RankTeller::Hand>(teller_, kUpscale, kSegment);
  for (int second = 1; second <= 12; ++second) {
    pass(1);
    hand->gauge().segment.frames = 5 * second;
    teller_.status();
  }
  EXPECT_DOUBLE_EQ(teller_.status().fps, 5.0);
  hand->gauge().segment.frames = 120;  // the last ten of which are halo
  hand.reset();
  pass(1);
  EXPECT_DOUBLE_EQ(teller_.status().fps, (100 - 5) / 10.0);
  for (int second = 0; second < 12; ++second) {
    pass(1);
    teller_.status();
  }
  EXPECT_EQ(teller_.status().fps, -1);
}

TEST_F(Teller, NamesWhatLimitsTheRank) {
  RankTeller::Hand hand(teller_, kUpscale, kSegment);
  pipeline::SegmentGauge& gauge = hand.gauge().segment;
  EXPECT_EQ(teller_.status().limit, "network") << "a long first window tells nothing";
  const auto after_a_while = [&] {
    pass(20);
    teller_.status();
    pass(5);
    return teller_.status().limit;
  };
  // On a GPU the network's thread waits while the device is at work.
  gauge.encode_wait_s = 5;
  gauge.device_s = 4.8;
  gauge.network_s = 0.3;
  EXPECT_EQ(after_a_while(), "network");
  EXPECT_EQ(after_a_while(), "network") << "nothing has moved";
}

TEST_F(Teller, NamesTheStageThatTheNetworkWaitsFor) {
  RankTeller::Hand hand(teller_, kUpscale, kSegment);
  pipeline::SegmentGauge& gauge = hand.gauge().segment;
  teller_.status();
  pass(5);
  gauge.encode_wait_s = 4;
  gauge.device_s = 0.5;
  gauge.network_s = 0.5;
  EXPECT_EQ(teller_.status().limit, "encode");
  pass(9);
  gauge.decode_wait_s = 8;
  teller_.status();
  pass(1);
  EXPECT_EQ(teller_.status().limit, "decode");
}

TEST_F(Teller, ChunksAloneAreTheEncoders) {
  const RankTeller::Hand hand(teller_, kEncode, kSegment);
  EXPECT_EQ(teller_.status().limit, "encode");
}

TEST_F(Teller, WarningsAreToldOnce) {
  teller_.notice("warning", "store: the disk\nis \"slow\"");
  const Told told = decode_told(teller_.told());
  EXPECT_EQ(told.status.rank, 1);
  ASSERT_THAT(told.notices, SizeIs(1));
  EXPECT_EQ(told.notices[0].rank, 1);
  EXPECT_EQ(told.notices[0].level, "warning");
  EXPECT_EQ(told.notices[0].text, "store: the disk\nis \"slow\"");
  EXPECT_THAT(decode_told(teller_.told()).notices, SizeIs(0));
}

TEST(ToldBytes, WhatIsNoneIsRefused) {
  const std::string good = encode({.status = {.rank = 2}, .notices = {}});
  EXPECT_EQ(decode_told(good).status.rank, 2);
  for (const std::string& bytes : {std::string(), good.substr(1), good + "\n{}", good + "\n"}) {
    EXPECT_THROW(decode_told(bytes), Error) << bytes;
  }
}

// A rank says this every second.
TEST_F(Teller, IsShort) {
  const RankTeller::Hand hand(teller_, kUpscale, kSegment);
  EXPECT_LT(teller_.told().size(), 1000u);
}

TEST(CoreFrames, AreThoseBehindTheHalo) {
  EXPECT_EQ(core_frames(kSegment, 0), 0);
  EXPECT_EQ(core_frames(kSegment, 10), 0);
  EXPECT_EQ(core_frames(kSegment, 15), 5);
  EXPECT_EQ(core_frames(kSegment, 120), 100);
}

}  // namespace
}  // namespace vsr::launcher
