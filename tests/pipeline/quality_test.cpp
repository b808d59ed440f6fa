// What a pipeline measures beside its work.
#include "packet_upscaler.hpp"
#include "pipeline_fixture.hpp"
#include "quality_meter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vsr::pipeline {
namespace {

using test::Pipeline;
using test::small_options;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Shows, in place of a window's frame i, what `shown` says.
class MistakenUpscaler : public test::FakeUpscaler {
 public:
  using FakeUpscaler::FakeUpscaler;

  void run(std::span<const model::LrFrame> window,
           const FrameRange& emit,
           model::OutputSink& sink) override {
    std::vector<model::LrFrame> other;
    for (std::size_t i = 0; i < window.size(); ++i) {
      other.push_back(window[std::min(window.size() - 1, shown(i))]);
    }
    FakeUpscaler::run(other, emit, sink);
  }

  std::function<std::size_t(std::size_t)> shown = [](std::size_t i) { return i; };
};

// By which NaN is what it is.
std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

class Quality : public Pipeline {
 protected:
  static PipelineOptions options(int every) {
    PipelineOptions options = small_options();
    options.quality = {.every = every, .warn_below_db = 25, .patience_s = 60};
    return options;
  }

  static std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

void expect_measured(const Segment& segment, const std::vector<float>& values, int every) {
  ASSERT_EQ(static_cast<std::int64_t>(values.size()), segment.core.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t frame = segment.core.begin + static_cast<std::int64_t>(i);
    EXPECT_EQ(!std::isnan(values[i]), frame % every == 0) << frame;
  }
}

// Of a segment that follows another one part of the pictures was decoded for that one.
TEST_F(Quality, EveryFrameOfEverySegmentIsMeasured) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, options(1));
  for (const Segment& segment : plan_segments(60, {25, 3})) {
    const SegmentResult result = run(pipeline, segment);
    const FrameMeasures& measures = result.measures;
    for (const auto* values : {&measures.decode_s,
                               &measures.network_s,
                               &measures.encode_s,
                               &measures.luma_mean,
                               &measures.sharpness,
                               &measures.back_projection_db}) {
      expect_measured(segment, *values, 1);
    }
    // Limited range was made of gray levels: the upscaled picture has the source's to the bit.
    EXPECT_THAT(measures.back_projection_db, Each(Gt(60)));
    EXPECT_THAT(measures.decode_s, Each(Gt(0)));
    EXPECT_THAT(measures.network_s, Each(Gt(0)));
    EXPECT_THAT(measures.encode_s, Each(Gt(0)));
    for (std::size_t i = 0; i < measures.luma_mean.size(); ++i) {
      const double level = expected_[static_cast<std::size_t>(segment.core.begin) + i];
      EXPECT_NEAR(measures.luma_mean[i], (level - 16) / 219, 1e-3);
    }
    EXPECT_THAT(result.quality_warnings, IsEmpty());
    EXPECT_THAT(result.events, IsEmpty());
  }
}

TEST_F(Quality, OneOfSoManyFramesByItsNumberOnTheTimeline) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, options(3));
  for (const Segment& segment : plan_segments(60, {25, 3})) {
    const SegmentResult result = run(pipeline, segment);
    expect_measured(segment, result.measures.back_projection_db, 3);
    expect_measured(segment, result.measures.luma_mean, 3);
    expect_measured(segment, result.measures.decode_s, 1);
    EXPECT_THAT(result.quality_warnings, IsEmpty());
  }
}

TEST_F(Quality, OffLeavesNothingAndOnTheSameMezzanine) {
  const Segment segment = plan_segments(60, {25, 3}).at(1);
  SegmentPipeline off(film_.timeline(), upscaler_, options(0));
  const SegmentResult without = run(off, segment);
  EXPECT_EQ(without.measures, FrameMeasures{});
  EXPECT_THAT(without.previews, IsEmpty());
  const std::string bytes = bytes_of(out());
  SegmentPipeline on(film_.timeline(), upscaler_, options(1));
  EXPECT_EQ(run(on, segment).mezzanine.checksums, without.mezzanine.checksums);
  EXPECT_EQ(bytes_of(out()), bytes);
}

TEST_F(Quality, TwoPreviewsOfASegment) {
  SegmentPipeline pipeline(film_.timeline(), upscaler_, options(1));
  const Segment segment = plan_segments(60, {25, 3}).at(1);
  const SegmentResult result = run(pipeline, segment);
  ASSERT_THAT(result.previews, SizeIs(2));
  const Preview& middle = result.previews[0];
  EXPECT_EQ(middle.kind, "middle");
  EXPECT_EQ(middle.frame, (segment.core.begin + segment.core.end) / 2);
  const Preview& worst = result.previews[1];
  EXPECT_EQ(worst.kind, "worst");
  EXPECT_TRUE(segment.core.contains(worst.frame));
  const auto jpeg = ::testing::StartsWith("\xff\xd8\xff");
  EXPECT_THAT((std::vector{middle.before,
                           middle.after,
                           middle.detail_before,
                           middle.detail_after,
                           worst.before,
                           worst.after}),
              Each(jpeg));
  EXPECT_EQ(worst.detail_before, "");
}

TEST_F(Quality, DigestsGiveTheFiguresOfPictures) {
  for (const int every : {1, 3}) {
    SegmentPipeline pictures(film_.timeline(), upscaler_, options(every));
    test::FakeUpscaler digesting(film_.timeline().format);
    digesting.digests = true;
    SegmentPipeline digests(film_.timeline(), digesting, options(every));
    test::PacketUpscaler packing(film_.timeline().format, film_.folder() / "packets.mov");
    PipelineOptions given = options(every);
    given.codec = media::MezzanineCodec::kProres;
    SegmentPipeline packets(film_.timeline(), packing, given);
    int measured = 0;
    for (const Segment& segment : plan_segments(60, {25, 3})) {
      const SegmentResult by_picture = run(pictures, segment);
      const SegmentResult by_digest = run(digests, segment);
      const SegmentResult by_packet = run(packets, segment);
      expect_measured(segment, by_packet.measures.encode_s, 1);
      for (const SegmentResult* result : {&by_digest, &by_packet}) {
        expect_measured(segment, result->measures.back_projection_db, every);
        const auto& [was, is] = std::pair(&by_picture.measures, &result->measures);
        for (const auto figures : {&FrameMeasures::luma_mean,
                                   &FrameMeasures::sharpness,
                                   &FrameMeasures::sharpness_gain,
                                   &FrameMeasures::back_projection_db}) {
          EXPECT_EQ(bits_of(is->*figures), bits_of(was->*figures));
        }
        EXPECT_THAT(result->quality_warnings, IsEmpty());
        EXPECT_THAT(result->events, IsEmpty());
        ASSERT_THAT(result->previews, SizeIs(2));
        for (std::size_t i = 0; i < 2; ++i) {
          EXPECT_EQ(result->previews[i].frame, by_picture.previews[i].frame);
          EXPECT_EQ(result->previews[i].kind, by_picture.previews[i].kind);
        }
      }
      EXPECT_EQ(by_digest.previews, by_picture.previews);
      measured += static_cast<int>(std::ranges::count_if(
          by_picture.measures.luma_mean, [](float value) { return !std::isnan(value); }));
    }
    // Of no frame that is not measured.
    EXPECT_EQ(digesting.digests_wanted, measured);
    EXPECT_EQ(packing.digests_wanted, measured);
  }
}

TEST_F(Quality, PacketsAreTheSameMeasuredOrNot) {
  const Segment segment = plan_segments(60, {25, 3}).at(1);
  std::vector<std::vector<std::uint32_t>> checksums;
  for (const int every : {0, 1}) {
    test::PacketUpscaler upscaler(film_.timeline().format, film_.folder() / "packets.mov");
    PipelineOptions given = options(every);
    given.codec = media::MezzanineCodec::kProres;
    SegmentPipeline pipeline(film_.timeline(), upscaler, given);
    checksums.push_back(run(pipeline, segment).mezzanine.checksums);
    EXPECT_EQ(upscaler.digests_wanted, every * segment.core.size());
  }
  EXPECT_EQ(checksums[0], checksums[1]);
}

TEST_F(Quality, PacketsWithoutDigestsAreRefused) {
  struct NoDigests : test::PacketUpscaler {
    using PacketUpscaler::PacketUpscaler;

    bool gives_digests() const override { return false; }
  };

  NoDigests upscaler(film_.timeline().format, film_.folder() / "packets.mov");
  EXPECT_THROW(SegmentPipeline(film_.timeline(), upscaler, options(1)), Error);
  EXPECT_NO_THROW(SegmentPipeline(film_.timeline(), upscaler, options(0)));
}

// A writer that keeps nothing.
class NoWriter final : public media::PictureWriter {
 public:
  explicit NoWriter(std::int64_t frames) : frames_(frames) {}

  void write(const PictureView&, const std::function<void()>&) override {}

  media::WrittenMezzanine finish(const std::function<void()>&) override {
    return {.frames = frames_};
  }

 private:
  std::int64_t frames_;
};

TEST_F(Quality, PicturesForTheFilmsEncoderAreMeasuredLikewise) {
  PipelineOptions given = options(1);
  given.open_writer = [](const Segment& segment, const std::filesystem::path&) {
    return std::make_unique<NoWriter>(segment.core.size());
  };
  SegmentPipeline direct(film_.timeline(), upscaler_, given);
  SegmentPipeline pipeline(film_.timeline(), upscaler_, options(1));
  const Segment segment = plan_segments(60, {25, 3}).at(1);
  const SegmentResult result = run(direct, segment);
  EXPECT_EQ(result.measures.back_projection_db, run(pipeline, segment).measures.back_projection_db);
  expect_measured(segment, result.measures.encode_s, 1);
}

// Measuring a picture takes longer here than making it; the first ones find room.
TEST_F(Quality, WhatThereIsNoTimeForIsPassedOver) {
  PipelineOptions given = options(1);
  given.quality.patience_s = 0;
  given.max_seq_len = 4;
  given.open_writer = [](const Segment& segment, const std::filesystem::path&) {
    return std::make_unique<NoWriter>(segment.core.size());
  };
  SegmentPipeline pipeline(film_.timeline(), upscaler_, given);
  const Segment segment = plan_segments(60, {60, 3}).front();
  const SegmentResult result = run(pipeline, segment);
  const auto& db = result.measures.back_projection_db;
  const auto missing = std::count_if(db.begin(), db.end(), [](float v) { return std::isnan(v); });
  EXPECT_LT(missing, 60);
  ASSERT_GT(missing, 0);
  EXPECT_THAT(result.events,
              ElementsAre(HasSubstr(std::to_string(missing) + " frames were not measured")));
  EXPECT_THAT(result.quality_warnings, IsEmpty());
}

TEST_F(Quality, FramesThatAreShiftedAreTold) {
  MistakenUpscaler upscaler(film_.timeline().format);
  upscaler.shown = [](std::size_t i) { return i + 1; };
  PipelineOptions given = options(1);
  given.max_seq_len = 60;
  SegmentPipeline pipeline(film_.timeline(), upscaler, given);
  const SegmentResult result = run(pipeline, plan_segments(60, {60, 3}).front());
  ASSERT_THAT(result.quality_warnings, Not(IsEmpty()));
  EXPECT_THAT(result.quality_warnings.back(),
              HasSubstr("59 of 60 frames measured look like the film's frame beside their own, "
                        "first 0, which looks like 1"));
}

// Levels go up by 7 a frame (35 dB), and down by 193 at times: that is below what is warned of.
TEST_F(Quality, AFrameInThePlaceOfTheNextIsTold) {
  MistakenUpscaler upscaler(film_.timeline().format);
  upscaler.shown = [](std::size_t i) { return i == 29 ? 28 : i; };
  PipelineOptions given = options(1);
  given.max_seq_len = 60;
  ASSERT_LT(expected_[29], expected_[28]);
  SegmentPipeline pipeline(film_.timeline(), upscaler, given);
  const SegmentResult result = run(pipeline, plan_segments(60, {60, 3}).front());
  EXPECT_THAT(result.quality_warnings,
              ElementsAre(HasSubstr("back-projection below 25 dB in 1 of 60 frames measured"),
                          HasSubstr("1 of 60 frames measured look like the film's frame beside "
                                    "their own, first 29, which looks like 28")));
  ASSERT_THAT(result.previews, SizeIs(2));
  EXPECT_EQ(result.previews[1].frame, 29);
  const auto& db = result.measures.back_projection_db;
  EXPECT_EQ(std::min_element(db.begin(), db.end()) - db.begin(), 29);
}

TEST_F(Quality, AWrongRangeIsTold) {
  PipelineOptions given = options(1);
  given.output_colour.full_range = true;
  SegmentPipeline pipeline(film_.timeline(), upscaler_, given);
  const SegmentResult result = run(pipeline, plan_segments(60, {60, 3}).front());
  ASSERT_THAT(result.quality_warnings, Not(IsEmpty()));
  EXPECT_THAT(result.quality_warnings.back(),
              HasSubstr("frames measured are as with full and limited range mixed up"));
}

// --- measuring that fails ------------------------------------------------------------------------

PictureFormat gray_picture(int width, int height) {
  return {width, height, ColourModel::kGray, ChromaSubsampling::k444, 8};
}

TEST_F(Quality, AMeterThatThrowsLeavesTheSegmentAlone) {
  PipelineOptions given = options(1);
  given.output_colour.matrix = static_cast<Matrix>(99);
  given.open_writer = [](const Segment& segment, const std::filesystem::path&) {
    return std::make_unique<NoWriter>(segment.core.size());
  };
  SegmentPipeline pipeline(film_.timeline(), upscaler_, given);
  for (const Segment& segment : plan_segments(60, {25, 3})) {
    const SegmentResult result = run(pipeline, segment);
    EXPECT_EQ(result.mezzanine.frames, segment.core.size());
    EXPECT_THAT(result.quality_warnings,
                ElementsAre(HasSubstr("measuring ended after 0 frames: unknown YUV matrix")));
    EXPECT_THAT(result.events, IsEmpty()) << "none is said to have been passed over";
    expect_measured(segment, result.measures.decode_s, 1);
  }
}

// Gives packets one of which, the middle one of the film, nobody can decode.
class SpoiltPackets : public test::PacketUpscaler {
 public:
  using PacketUpscaler::PacketUpscaler;

  void run(std::span<const model::LrFrame> window,
           const FrameRange& emit,
           model::OutputSink& sink) override {
    Spoiling spoiling(sink, frames_);
    PacketUpscaler::run(window, emit, spoiling);
    frames_ += static_cast<int>(emit.size());
  }

 private:
  struct Spoiling : model::OutputSink {
    Spoiling(model::OutputSink& to, int first) : to_(to), first_(first) {}

    MutablePictureView acquire(std::size_t index) override { return to_.acquire(index); }

    std::span<std::byte> acquire_packet(std::size_t index, std::size_t bytes) override {
      return packet_ = to_.acquire_packet(index, bytes);
    }

    std::span<std::byte> acquire_digest(std::size_t index, std::size_t bytes) override {
      return to_.acquire_digest(index, bytes);
    }

    void deliver(std::size_t index, gpu::Event ready) override {
      constexpr std::size_t kHeader = 28;  // by which it is a frame of ProRes still
      if (first_ + static_cast<int>(index) == 30) {
        std::ranges::fill(packet_.subspan(kHeader), std::byte{0xff});
      }
      to_.deliver(index, std::move(ready));
    }

    model::OutputSink& to_;
    int first_;
    std::span<std::byte> packet_;
  };

  int frames_ = 0;
};

TEST_F(Quality, APacketThatCannotBeReadBackCostsPreviewsAlone) {
  SpoiltPackets upscaler(film_.timeline().format, film_.folder() / "packets.mov");
  PipelineOptions given = options(6);
  given.codec = media::MezzanineCodec::kProres;
  SegmentPipeline pipeline(film_.timeline(), upscaler, given);
  const SegmentResult result = run(pipeline, plan_segments(60, {60, 3}).front());
  EXPECT_EQ(result.mezzanine.frames, 60);
  EXPECT_THAT(result.quality_warnings, ElementsAre(HasSubstr("measuring ended after 10 frames")));
  expect_measured(plan_segments(60, {60, 3}).front(), result.measures.back_projection_db, 6);
}

TEST_F(Quality, AMeterThatHasFailedKeepsNothing) {
  const PictureFormat format = gray_picture(64, 48);
  std::vector<std::byte> memory(packed_bytes(format));
  const PictureView picture = packed_view(format, memory.data());
  const Segment segment = plan_segments(60, {60, 3}).front();
  const PipelineOptions given = options(1);
  QualityMeter meter(segment, given, {});
  std::vector<std::weak_ptr<const SourceFrame>> kept;
  const auto add = [&](std::int64_t frame) {
    const auto source = keep_source(frame, 1, &picture);
    kept.push_back(source);
    meter.add(source);
  };
  const auto are_kept = [&] {
    return std::ranges::count_if(kept, [](const auto& source) { return !source.expired(); });
  };
  for (std::int64_t frame = 0; frame < 10; ++frame) add(frame);
  EXPECT_EQ(are_kept(), 10);
  EXPECT_TRUE(meter.measures(10));
  meter.guarded([] { throw std::bad_alloc(); });
  EXPECT_EQ(are_kept(), 0);
  EXPECT_FALSE(meter.measures(10));
  for (std::int64_t frame = 10; frame < 60; ++frame) add(frame);
  EXPECT_EQ(are_kept(), 0);
  meter.guarded([] { FAIL() << "it has ended"; });
  SegmentResult result;
  meter.finish(result);
  EXPECT_THAT(result.quality_warnings,
              ElementsAre(HasSubstr("measuring ended after 0 frames: std::bad_alloc")));
}

TEST_F(Quality, AStopIsNoFailureOfTheMeter) {
  const Segment segment = plan_segments(60, {60, 3}).front();
  const PipelineOptions given = options(1);
  QualityMeter meter(segment, given, {});
  EXPECT_THROW(meter.guarded([] { throw Error(ErrorCode::kInterrupted, "stopped"); }), Error);
  EXPECT_TRUE(meter.measures(10));
}

// The sources of frames that the segment before decoded when its measuring had failed.
TEST_F(Quality, WhatWaitsForANeighbourThatIsNotThereIsForgotten) {
  const PictureFormat format = gray_picture(64, 48);
  std::vector<std::byte> memory(packed_bytes(format));
  const PictureView picture = packed_view(format, memory.data());
  const Segment segment = plan_segments(60, {60, 3}).front();
  const PipelineOptions given = options(1);
  QualityMeter meter(segment, given, {});
  std::weak_ptr<const SourceFrame> first;
  for (std::int64_t frame = 0; frame < 10; ++frame) {
    const auto source = keep_source(frame, 1, frame == 1 ? nullptr : &picture);
    if (frame == 2) first = source;
    meter.add(source);
  }
  for (std::int64_t frame = 0; frame < 9; ++frame) meter.measure(frame, {.picture = &picture});
  EXPECT_TRUE(first.expired());
}

}  // namespace
}  // namespace vsr::pipeline
