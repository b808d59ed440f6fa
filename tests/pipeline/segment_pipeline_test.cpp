#include "vsr/pipeline/segment_pipeline.hpp"

#include "packet_upscaler.hpp"
#include "pipeline_fixture.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

namespace vsr::pipeline {
namespace {

using test::GrayFilm;
using test::Pipeline;
using test::small_options;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Le;

TEST_F(Pipeline, FramesComeOutInOrderAndOnceOverWindowsAndSegments) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  for (const Segment& segment : plan_segments(60, {25, 3})) {
    expect_right_frames(segment, run(pipeline, segment));
  }
  EXPECT_THAT(upscaler_.windows, Each(Le(16)));
}

// Keeps the gray levels that it is given, in 10 bits.
class LevelWriter final : public media::PictureWriter {
 public:
  explicit LevelWriter(std::vector<double>& levels) : levels_(levels) { levels_.clear(); }

  void write(const PictureView& picture, const std::function<void()>&) override {
    levels_.push_back(*reinterpret_cast<const std::uint16_t*>(picture.planes[0]));
  }

  media::WrittenMezzanine finish(const std::function<void()>& check) override {
    check();
    return {.frames = static_cast<std::int64_t>(levels_.size())};
  }

 private:
  std::vector<double>& levels_;
};

// An encoder that takes its time.
class StuckWriter final : public media::PictureWriter {
 public:
  explicit StuckWriter(std::atomic<int>& stop) : stop_(stop) {}

  void write(const PictureView&, const std::function<void()>& check) override {
    stop_ = 2;
    while (true) {
      check();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  media::WrittenMezzanine finish(const std::function<void()>&) override { return {}; }

 private:
  std::atomic<int>& stop_;
};

TEST_F(Pipeline, StopsWhereAWriterKeepsItWaiting) {
  std::atomic<int> stop = 0;
  PipelineOptions options = small_options();
  options.open_writer = [&](const Segment&, const std::filesystem::path&) {
    return std::make_unique<StuckWriter>(stop);
  };
  SegmentPipeline pipeline(film_.timeline(), upscaler_, options);
  try {
    pipeline.run(plan_segments(60, {60, 3}).front(), film_.folder() / "stuck", stop, [](auto) {});
    FAIL() << "it came to an end";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.what();
  }
}

TEST_F(Pipeline, AWriterInPlaceOfTheMezzaninesGetsTheCoresOnly) {
  std::vector<double> levels;
  PipelineOptions options = small_options();
  options.open_writer = [&](const Segment&, const std::filesystem::path&) {
    return std::make_unique<LevelWriter>(levels);
  };
  SegmentPipeline pipeline(film_.timeline(), upscaler_, options);
  for (const Segment& segment : plan_segments(60, {25, 3})) {
    run(pipeline, segment);
    ASSERT_EQ(static_cast<std::int64_t>(levels.size()), segment.core.size());
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const auto frame = static_cast<std::size_t>(segment.core.begin) + i;
      EXPECT_NEAR(levels[i], expected_[frame] * 4, 0.01) << frame;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(film_.folder() / "out.mkv"));
}

void expect_seam_luma(const Segment& segment,
                      const LumaByFrame& luma,
                      const std::vector<double>& levels) {
  std::size_t frames = 0;
  for (const FrameRange& range : seam_frames(segment)) {
    for (std::int64_t frame = range.begin; frame < range.end; ++frame) {
      ++frames;
      ASSERT_TRUE(luma.contains(frame)) << frame;
      const LumaSamples& samples = luma.at(frame);
      EXPECT_EQ(samples.bit_depth, 10);
      EXPECT_EQ(samples.width, kSamplesAcross);
      EXPECT_NEAR(samples.values.at(100), levels[static_cast<std::size_t>(frame)] * 4, 1) << frame;
    }
  }
  EXPECT_EQ(luma.size(), frames);
}

TEST_F(Pipeline, LumaBesideASegmentsEndsIsKeptWithAndWithoutMezzanines) {
  const auto segments = plan_segments(60, {25, 3});
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  std::vector<double> levels;
  PipelineOptions options = small_options();
  options.open_writer = [&](const Segment&, const std::filesystem::path&) {
    return std::make_unique<LevelWriter>(levels);
  };
  SegmentPipeline direct(film_.timeline(), upscaler_, options);
  for (const Segment& segment : segments) {
    const SegmentResult result = run(pipeline, segment);
    expect_seam_luma(segment, result.seam_luma, expected_);
    EXPECT_EQ(run(direct, segment).seam_luma, result.seam_luma);
  }
}

TEST_F(Pipeline, LumaOfPacketsIsTakenFromTheMezzanine) {
  test::PacketUpscaler upscaler(film_.timeline().format, film_.folder() / "packets.mov");
  PipelineOptions options = small_options();
  options.codec = media::MezzanineCodec::kProres;
  SegmentPipeline pipeline(film_.timeline(), upscaler, options);
  const Segment segment = plan_segments(60, {25, 3}).at(1);
  const SegmentResult result = run(pipeline, segment);
  ASSERT_EQ(result.mezzanine.frames, segment.input.size());
  expect_seam_luma(segment, result.seam_luma, expected_);
}

TEST_F(Pipeline, WindowsThatRememberSeeNoFrameBeforeTheirOwn) {
  upscaler_.remembering = true;
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const auto segments = plan_segments(60, {30, 3});
  for (const Segment& segment : segments) expect_right_frames(segment, run(pipeline, segment));
  EXPECT_EQ(upscaler_.sequences, static_cast<int>(segments.size()));
  EXPECT_GT(upscaler_.windows.size(), segments.size());
  EXPECT_THAT(upscaler_.windows, Each(Le(16)));
  EXPECT_THAT(upscaler_.frames_before, Each(0));
}

TEST_F(Pipeline, AWindowThatFailedBeginsASequenceThatSeesThePast) {
  upscaler_.remembering = true;
  upscaler_.most_frames = 9;
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {40, 3}).front();
  expect_right_frames(segment, run(pipeline, segment));
  EXPECT_EQ(upscaler_.sequences, 2);
  // The first window failed after two frames; the one after it sees these again.
  EXPECT_EQ(upscaler_.frames_before.at(1), 2);
}

TEST_F(Pipeline, SegmentsInAnyOrder) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const auto segments = plan_segments(60, {10, 3});
  for (const std::size_t i : {3u, 4u, 1u, 1u, 5u, 0u}) {
    expect_right_frames(segments[i], run(pipeline, segments[i]));
  }
}

TEST_F(Pipeline, ASegmentTellsHowFarItIs) {
  upscaler_.time_per_frame = std::chrono::milliseconds(2);
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {40, 3}).front();
  SegmentGauge gauge;
  std::vector<int> windows;
  const auto listen = [&](std::int64_t frames) {
    EXPECT_EQ(gauge.frames.load(), frames);
    EXPECT_LE(gauge.decoded.load(), gauge.decoded_size.load());
    EXPECT_LE(gauge.upscaled.load(), gauge.upscaled_size.load());
    windows.push_back(gauge.window.load());
  };
  const SegmentResult result = pipeline.run(segment, out(), stop_, listen, {}, &gauge);
  ASSERT_EQ(gauge.frames.load(), segment.input.size());
  EXPECT_TRUE(std::ranges::is_sorted(windows));
  EXPECT_EQ(windows.front(), 0);
  EXPECT_EQ(gauge.windows.load(), static_cast<int>(result.windows.size()));
  EXPECT_EQ(gauge.window.load(), gauge.windows.load() - 1);
  EXPECT_EQ(gauge.upscaled.load(), 0);
  // The network slept through these.
  EXPECT_GE(gauge.network_s.load(), 0.002 * static_cast<double>(segment.input.size() - 1));
}

TEST_F(Pipeline, HowManyWindowsThereWillBeIsKnownFromTheFirstOn) {
  upscaler_.time_per_frame = std::chrono::milliseconds(2);
  // Of three windows the middle one, which sees most beside what it gives, gives the fewest frames.
  const Segment segment = plan_segments(60, {33, 3}).front();
  for (const bool remembering : {false, true}) {
    upscaler_.remembering = remembering;
    SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
    SegmentGauge gauge;
    std::set<int> told;
    const auto listen = [&](std::int64_t) { told.insert(gauge.windows.load()); };
    const SegmentResult result = pipeline.run(segment, out(), stop_, listen, {}, &gauge);
    EXPECT_THAT(told, ElementsAre(static_cast<int>(result.windows.size())));
  }
}

TEST_F(Pipeline, OutOfMemoryHalvesTheWindowAndGoesOn) {
  upscaler_.most_frames = 5;
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {40, 3}).front();
  const SegmentResult result = run(pipeline, segment);
  expect_right_frames(segment, result);
  ASSERT_EQ(result.events.size(), 2u);
  EXPECT_THAT(result.events[0], HasSubstr("window 16 -> 7"));
  EXPECT_THAT(result.events[1], HasSubstr("window 7 -> 3"));
}

TEST_F(Pipeline, OutOfMemoryBesideTheNetworkBeginsTheSegmentAgainWithShorterWindows) {
  upscaler_.uploads_until_out_of_memory = 30;
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {40, 3}).front();
  const SegmentResult result = run(pipeline, segment);
  expect_right_frames(segment, result);
  ASSERT_EQ(result.events.size(), 1u);
  EXPECT_THAT(result.events[0], HasSubstr("window of 16: the segment again with 8"));
  EXPECT_THAT(upscaler_.windows.back(), Le(8));
}

TEST_F(Pipeline, FailureIsReportedAndTheNextSegmentWorks) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {40, 3}).front();
  upscaler_.frames_until_failure = 7;
  try {
    run(pipeline, segment);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
    EXPECT_THAT(error.what(), HasSubstr("fell off"));
  }
  EXPECT_FALSE(std::filesystem::exists(film_.folder() / "out.mkv"));
  expect_right_frames(segment, run(pipeline, segment));
}

TEST_F(Pipeline, UnwritablePlaceIsAStorageError) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {40, 3}).front();
  try {
    pipeline.run(segment, "/nonexistent-folder/out.mkv", stop_, [](std::int64_t) {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage) << error.what();
  }
}

TEST_F(Pipeline, StopGivesUpWithinAFrame) {
  upscaler_.time_per_frame = std::chrono::milliseconds(5);
  SegmentPipeline pipeline(film_.timeline(), upscaler_, small_options());
  const Segment segment = plan_segments(60, {60, 3}).front();
  try {
    pipeline.run(segment, film_.folder() / "out.mkv", stop_, [&](std::int64_t frames) {
      if (frames == 5) stop_ = 2;
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_FALSE(std::filesystem::exists(film_.folder() / "out.mkv"));
}

// How long a run took, beside its stages.
struct Times {
  double wall_s = 0;
  double slowest_s = 0;  // the busiest stage
  double sum_s = 0;      // of all stages
};

Times time_a_run(const GrayFilm& film) {
  test::FakeUpscaler upscaler(film.timeline().format);
  upscaler.time_per_frame = std::chrono::milliseconds(4);
  SegmentPipeline pipeline(film.timeline(), upscaler, small_options());
  const std::atomic<int> stop = 0;
  const SegmentResult result = pipeline.run(
      plan_segments(400, {400, 3}).front(), film.folder() / "out.mkv", stop, [](std::int64_t) {});
  Times times{.wall_s = result.wall_s};
  for (const auto& [stage, busy_s] : result.busy_s) {
    times.slowest_s = std::max(times.slowest_s, busy_s);
    times.sum_s += busy_s;
  }
  return times;
}

// On a busy machine a stage that could go on waits for a core, which counts in the wall time and in
// no stage's: only a run that got its cores tells. Stages that took turns would never pass, since
// their sum cannot exceed the wall time.
TEST(PipelineOverlap, WallTimeIsTheSlowestStages) {
  constexpr int kRuns = 5;
  const GrayFilm film(400);
  Times times;
  const auto overlapped = [&times] {
    return times.wall_s <= 1.25 * times.slowest_s && times.sum_s > times.wall_s;
  };
  for (int run = 0; run < kRuns && !overlapped(); ++run) times = time_a_run(film);
  EXPECT_LE(times.wall_s, 1.25 * times.slowest_s);
  EXPECT_GT(times.sum_s, times.wall_s);  // the stages were at work at the same time
}

}  // namespace
}  // namespace vsr::pipeline
