// Films that are not as they should be, and what becomes of them.
#include "clips.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <set>
#include <sstream>

namespace vsr::media {
namespace {

namespace fs = std::filesystem;
using test::Clip;
using test::make_clip;
using test::read_bytes;
using test::read_hashes;
using test::with_ruined_pictures;
using test::write_bytes;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Mezzanine = TimelineOptions::Mezzanine;
using Hashes = std::vector<std::string>;

constexpr const char* kH264 = "-c:v libx264 -x264-params keyint=12:scenecut=0";
constexpr const char* kMpeg2 = "-c:v mpeg2video -b:v 2M -g 12 -bf 2";

class PlanTimeline : public ::testing::Test {
 protected:
  void SetUp() override { VSR_NEED_FFMPEG(); }

  fs::path make(const char* name, const Clip& clip, const std::string& options) const {
    return make_clip(folder_.path() / name, clip, options);
  }

  fs::path yuv420(const char* name, const std::string& options, int frames = 60) const {
    return make(name, {.frames = frames, .filters = "format=yuv420p"}, options);
  }

  Timeline mezzanine(const fs::path& film, const TimelineOptions& options) const {
    return write_mezzanine(probe(film), options, folder_.path() / "film.mezz.mkv", {});
  }

  test::TemporaryFolder folder_;
};

Hashes part(const Hashes& all, std::ptrdiff_t begin, std::ptrdiff_t end) {
  return {all.begin() + begin, all.begin() + end};
}

// --- Ranges and rates ------------------------------------------------------------------------

TEST_F(PlanTimeline, RangeIsThePartOfTheWholeWithItsNeighboursSeen) {
  const fs::path film = make("a.mkv", {.interlaced = true, .filters = "format=yuv420p"}, kH264);
  TimelineOptions options;
  options.filters = "bwdif=mode=send_frame:parity=tff:deint=all";
  const Timeline whole = plan_timeline(probe(film), options).timeline;
  const Hashes all = read_hashes(whole, 0);
  options.start_s = 0.8;
  options.end_s = 1.6;
  const Timeline some = plan_timeline(probe(film), options).timeline;
  ASSERT_EQ(some.frames(), 20);
  EXPECT_EQ(some.start_time_s, Rational(4, 5));
  // The last frame is deinterlaced with the picture behind the range.
  EXPECT_EQ(read_hashes(some, 0), part(all, 20, 40));
  EXPECT_EQ(read_hashes(some, 7, 3), part(all, 27, 30));
}

TEST_F(PlanTimeline, RangeBehindTheEndIsAUsageError) {
  const fs::path film = yuv420("a.mkv", kH264, 30);
  TimelineOptions options;
  options.start_s = 5;
  try {
    plan_timeline(probe(film), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("1.200 seconds"));
  }
}

TEST_F(PlanTimeline, StartTimeIsTheContainersOwn) {
  const fs::path film = yuv420("a.ts", kMpeg2);
  const Timeline timeline = plan_timeline(probe(film), {}).timeline;
  const auto shown = test::run_process({"ffprobe",
                                        "-v",
                                        "error",
                                        "-select_streams",
                                        "v:0",
                                        "-show_entries",
                                        "stream=start_time",
                                        "-of",
                                        "csv=p=0",
                                        film.string()});
  EXPECT_NEAR(timeline.start_time_s.to_double(), std::stod(shown.output), 1e-6);
  EXPECT_GT(timeline.start_time_s.to_double(), 1.0);
}

TEST_F(PlanTimeline, VariableRateIsFilledByRepeats) {
  // Frames 10 to 14 and 33 are left out; the clock goes on.
  const fs::path film = make("a.mkv",
                             {.filters = "format=yuv420p,select='not(between(n,10,14)+eq(n,33))'"},
                             std::string(kH264) + " -vsync vfr");
  const TimelinePlan plan = plan_timeline(probe(film), {});
  ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
  EXPECT_EQ(plan.timeline.rate, Rational(25, 1));
  EXPECT_EQ(plan.timeline.frames(), 60);
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("6 repeated, 0 dropped")));
  const Hashes all = read_hashes(plan.timeline, 0);
  const Hashes decoded = test::ffmpeg_hashes(film, "");
  ASSERT_EQ(decoded.size(), 54U);
  Hashes wanted = decoded;
  wanted.insert(wanted.begin() + 10, 5, decoded[9]);
  wanted.insert(wanted.begin() + 33, decoded[27]);
  EXPECT_EQ(all, wanted);
  for (const int first : {9, 10, 12, 14, 15, 32, 33, 34, 59}) {
    EXPECT_EQ(read_hashes(plan.timeline, first, 3), part(all, first, std::min(first + 3, 60)))
        << first;
  }
}

TEST_F(PlanTimeline, WantedRateRepeatsAndDrops) {
  const fs::path film = yuv420("a.mp4", kH264);
  TimelineOptions options;
  options.fps = Rational(30, 1);
  const Timeline faster = plan_timeline(probe(film), options).timeline;
  EXPECT_EQ(faster.frames(), 72);
  EXPECT_EQ(faster.rate, Rational(30, 1));
  options.fps = Rational(25, 2);
  const Timeline slower = plan_timeline(probe(film), options).timeline;
  EXPECT_EQ(slower.frames(), 30);
  const Hashes all = test::ffmpeg_hashes(film, "");
  const Hashes every_second = read_hashes(slower, 0);
  ASSERT_EQ(every_second.size(), 30U);
  for (std::size_t k = 0; k < 30; ++k) {
    EXPECT_EQ(every_second[k], all[static_cast<std::size_t>(slower.source_picture[k])]);
  }
}

TEST_F(PlanTimeline, NtscRateIsExact) {
  const fs::path film =
      make("a.mkv", {.filters = "format=yuv420p,settb=1001/24000,setpts=N,fps=24000/1001"}, kH264);
  const TimelinePlan plan = plan_timeline(probe(film), {});
  EXPECT_EQ(plan.timeline.rate, Rational(24000, 1001));
  EXPECT_EQ(plan.timeline.frames(), 60);
  EXPECT_THAT(plan.warnings, IsEmpty());
}

// --- Graphs ----------------------------------------------------------------------------------

TEST_F(PlanTimeline, GraphThatDoublesPicturesNeedsAMezzanine) {
  const fs::path film = make("a.mkv", {.interlaced = true, .filters = "format=yuv420p"}, kH264);
  TimelineOptions options;
  options.filters = "bwdif=mode=send_field:parity=tff:deint=all";
  const TimelinePlan plan = plan_timeline(probe(film), options);
  EXPECT_TRUE(plan.needs_mezzanine);
  EXPECT_THAT(plan.why, HasSubstr("number"));
  EXPECT_EQ(plan.timeline.frames(), 120);
  EXPECT_EQ(plan.timeline.rate, Rational(50, 1));
  const Timeline timeline = mezzanine(film, options);
  EXPECT_EQ(timeline.rate, Rational(50, 1));
  EXPECT_EQ(timeline.frames(), 120);
  const Hashes all = read_hashes(timeline, 0);
  EXPECT_EQ(all, test::ffmpeg_hashes(film, options.filters));
  EXPECT_EQ(read_hashes(timeline, 71, 5, 2), part(all, 71, 76));

  options.mezzanine = Mezzanine::kNever;
  try {
    plan_timeline(probe(film), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("preprocess.mezzanine"));
  }
}

TEST_F(PlanTimeline, GraphWithMemoryNeedsAMezzanineOrIsReadFromTheStart) {
  const fs::path film = yuv420("a.mkv", kH264, 40);
  TimelineOptions options;
  options.filters = "hqdn3d";
  const TimelinePlan plan = plan_timeline(probe(film), options);
  EXPECT_TRUE(plan.needs_mezzanine);
  const Hashes wanted = test::ffmpeg_hashes(film, options.filters);
  const Timeline stored = mezzanine(film, options);
  EXPECT_EQ(stored.filters, "");
  EXPECT_EQ(read_hashes(stored, 0), wanted);
  EXPECT_EQ(read_hashes(stored, 33), part(wanted, 33, 40));

  options.mezzanine = Mezzanine::kNever;
  const TimelinePlan slow = plan_timeline(probe(film), options);
  EXPECT_FALSE(slow.needs_mezzanine);
  EXPECT_FALSE(slow.timeline.seekable);
  EXPECT_THAT(slow.warnings, Contains(HasSubstr("slow")));
  EXPECT_EQ(read_hashes(slow.timeline, 33), part(wanted, 33, 40));
}

TEST_F(PlanTimeline, GraphThatIsNoneIsAUsageError) {
  const fs::path film = yuv420("a.mkv", kH264, 10);
  for (const char* filters : {"bwdiff", "scale=w=320:hight=2", "split", "crop=4000:4000"}) {
    TimelineOptions options;
    options.filters = filters;
    try {
      plan_timeline(probe(film), options);
      ADD_FAILURE() << filters;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(filters));
    }
  }
}

TEST_F(PlanTimeline, ConvertedMatrixBringsItsPrimariesAndTransfer) {
  const fs::path film = make(
      "a.mkv",
      {.frames = 10,
       .filters =
           "format=yuv420p,setparams=colorspace=bt470bg:color_primaries=bt470bg:color_trc=bt470bg"},
      "-c:v mpeg2video -colorspace bt470bg -color_primaries bt470bg -color_trc gamma28");
  const SourceInfo source = probe(film);
  EXPECT_EQ(source.video.colour.matrix, Matrix::kBt601);
  EXPECT_EQ(source.video.colour.primaries, 5);
  EXPECT_EQ(source.video.colour.transfer, 5);
  TimelineOptions options;
  options.filters =
      "bwdif=mode=send_frame:parity=tff:deint=all,zscale=w=256:h=144:matrixin=bt470bg:matrix=bt709:"
      "filter=bicubic,setsar=1,crop=256:108:0:18";
  const Timeline timeline = plan_timeline(source, options).timeline;
  EXPECT_EQ(timeline.colour.matrix, Matrix::kBt709);
  EXPECT_EQ(timeline.colour.primaries, 1);
  EXPECT_EQ(timeline.colour.transfer, 1);
  EXPECT_EQ(timeline.sample_aspect, Rational(1, 1));
  EXPECT_EQ(timeline.format,
            (PictureFormat{256, 108, ColourModel::kYuv, ChromaSubsampling::k420, 8}));
  // Untouched by a graph that converts nothing.
  options.filters = "hflip";
  EXPECT_EQ(plan_timeline(source, options).timeline.colour, source.video.colour);
}

// --- Broken films ----------------------------------------------------------------------------

TEST_F(PlanTimeline, BareStreamsHaveNoTimesAndAreCounted) {
  for (const char* name : {"a.m2v", "a.h264"}) {
    const fs::path film = yuv420(name, name[2] == 'm' ? kMpeg2 : kH264);
    const TimelinePlan plan = plan_timeline(probe(film), {});
    EXPECT_TRUE(plan.needs_mezzanine);
    EXPECT_THAT(plan.why, HasSubstr("no time"));
    const Hashes wanted = test::ffmpeg_hashes(film, "");
    ASSERT_EQ(wanted.size(), 60U);
    const Timeline stored = mezzanine(film, {});
    EXPECT_EQ(stored.rate, Rational(25, 1));
    EXPECT_EQ(read_hashes(stored, 0), wanted) << name;
    EXPECT_EQ(read_hashes(stored, 40, 4), part(wanted, 40, 44));
    EXPECT_EQ(stored.start_time_s, Rational(0, 1));

    TimelineOptions options;
    options.mezzanine = Mezzanine::kNever;
    options.fps = Rational(24, 1);
    const TimelinePlan slow = plan_timeline(probe(film), options);
    EXPECT_FALSE(slow.needs_mezzanine);
    EXPECT_EQ(slow.timeline.rate, Rational(24, 1));
    EXPECT_EQ(read_hashes(slow.timeline, 0), wanted);
    EXPECT_EQ(read_hashes(slow.timeline, 40, 4), part(wanted, 40, 44));
  }
}

TEST_F(PlanTimeline, JoinedTransportStreamsWhoseClockJumpsNeedAMezzanine) {
  const fs::path one = yuv420("one.ts", kMpeg2);
  write_bytes(folder_.path() / "two.ts", read_bytes(one) + read_bytes(one));
  const TimelinePlan plan = plan_timeline(probe(folder_.path() / "two.ts"), {});
  EXPECT_TRUE(plan.needs_mezzanine);
  EXPECT_THAT(plan.why, HasSubstr("jump"));
  const Timeline stored = mezzanine(folder_.path() / "two.ts", {});
  const Hashes once = test::ffmpeg_hashes(one, "");
  Hashes twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  // At the seam a decoder may lose the picture that it was about to put out.
  EXPECT_GE(stored.frames(), 119);
  const Hashes all = read_hashes(stored, 0);
  EXPECT_EQ(part(all, 0, 59), part(twice, 0, 59));
  EXPECT_EQ(Hashes(all.end() - 59, all.end()), part(twice, 61, 120));
}

TEST_F(PlanTimeline, OtherSizeOnTheWayIsScaledBack) {
  const fs::path one = yuv420("one.ts", kMpeg2);
  make("two.ts",
       {.width = 128, .height = 80, .filters = "format=yuv420p"},
       std::string(kMpeg2) + " -output_ts_offset 2.44");
  const fs::path film = folder_.path() / "film.ts";
  write_bytes(film, read_bytes(one) + read_bytes(folder_.path() / "two.ts"));
  const TimelinePlan plan = plan_timeline(probe(film), {});
  EXPECT_TRUE(plan.needs_mezzanine);
  EXPECT_THAT(plan.why, HasSubstr("128x80"));
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("128x80")));
  const Timeline stored = mezzanine(film, {});
  EXPECT_EQ(stored.format.width, 160);
  EXPECT_EQ(stored.format.height, 96);
  const Hashes all = read_hashes(stored, 0);
  ASSERT_EQ(all.size(), 120U);
  // The decoder loses the picture that it holds back when the size changes; FFmpeg's own program
  // gives 119 pictures. The one before stands in, so that sound stays in step.
  Hashes first_film = test::ffmpeg_hashes(one, "");
  first_film[59] = first_film[58];
  EXPECT_EQ(part(all, 0, 60), first_film);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 119U);

  // Without a mezzanine the readers do the same.
  TimelineOptions options;
  options.mezzanine = Mezzanine::kNever;
  const TimelinePlan direct = plan_timeline(probe(film), options);
  EXPECT_FALSE(direct.needs_mezzanine);
  EXPECT_EQ(read_hashes(direct.timeline, 0), all);
  for (const int first : {58, 59, 60, 61, 62, 100}) {
    EXPECT_EQ(read_hashes(direct.timeline, first, 4), part(all, first, first + 4)) << first;
  }
}

TEST_F(PlanTimeline, TruncatedFilmEndsWithItsLastPictureAndSaysWhatIsMissing) {
  const fs::path whole = yuv420("whole.mkv", kH264);
  const Hashes wanted = test::ffmpeg_hashes(whole, "");
  const std::string bytes = read_bytes(whole);
  const fs::path film = folder_.path() / "cut.mkv";
  for (const double share : {0.55, 0.8}) {
    write_bytes(
        film, bytes.substr(0, static_cast<std::size_t>(share * static_cast<double>(bytes.size()))));
    const TimelinePlan plan = plan_timeline(probe(film), {});
    ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
    EXPECT_THAT(plan.warnings, Contains(HasSubstr("seconds are missing")));
    const std::int64_t frames = plan.timeline.frames();
    EXPECT_GT(frames, 20);
    EXPECT_LT(frames, 56);
    const Hashes all = read_hashes(plan.timeline, 0);
    ASSERT_EQ(static_cast<std::int64_t>(all.size()), frames);
    // The very last one may be a torn packet.
    EXPECT_EQ(part(all, 0, frames - 1), part(wanted, 0, frames - 1));
    EXPECT_EQ(read_hashes(plan.timeline, frames - 3), part(all, frames - 3, frames));
  }
}

TEST_F(PlanTimeline, FilmWithoutItsFirstKeyPictureStartsWhereItDecodes) {
  // Cut off by TS packets, amid the first group of pictures.
  const fs::path whole =
      yuv420("whole.ts", "-c:v libx264 -x264-params open-gop=1:keyint=12:scenecut=0:bframes=3");
  const std::string bytes = read_bytes(whole);
  const std::size_t at = bytes.size() / 12 / 188 * 188;
  const fs::path film = folder_.path() / "cut.ts";
  write_bytes(film, bytes.substr(0, 188 * 3) + bytes.substr(at));
  const TimelinePlan plan = plan_timeline(probe(film), {});
  ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
  const Hashes wanted = test::ffmpeg_hashes(whole, "");
  const Hashes all = read_hashes(plan.timeline, 0);
  ASSERT_GE(all.size(), 36U);
  ASSERT_LT(all.size(), 60U);
  EXPECT_EQ(Hashes(all.end() - 36, all.end()), part(wanted, 24, 60));
  EXPECT_EQ(read_hashes(plan.timeline, 30, 4), part(all, 30, 34));
}

TEST_F(PlanTimeline, PictureThatDoesNotDecodeIsReplacedByTheOneBefore) {
  const fs::path whole = make("a.mov", {.filters = "format=yuv422p10"}, "-c:v prores_ks");
  Hashes wanted = test::ffmpeg_hashes(whole, "");
  const fs::path film = with_ruined_pictures(whole, {20, 21, 41});
  wanted[20] = wanted[21] = wanted[19];
  wanted[41] = wanted[40];
  const TimelinePlan plan = plan_timeline(probe(film), {});
  ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
  EXPECT_EQ(read_hashes(plan.timeline, 0), wanted);
  for (const int first : {19, 20, 21, 22, 41}) {
    EXPECT_EQ(read_hashes(plan.timeline, first, 3), part(wanted, first, first + 3)) << first;
  }
  TimelineOptions options;
  options.mezzanine = Mezzanine::kAlways;
  EXPECT_EQ(read_hashes(mezzanine(film, options), 0), wanted);
}

TEST_F(PlanTimeline, TooManyPicturesThatDoNotDecodeAreAnInputError) {
  const fs::path whole =
      make("a.mov",
           {.frames = 120, .width = 96, .height = 80, .filters = "format=yuv422p10"},
           "-c:v prores_ks");
  std::vector<int> ruined(60);
  std::iota(ruined.begin(), ruined.end(), 12);
  const TimelinePlan plan = plan_timeline(probe(with_ruined_pictures(whole, ruined)), {});
  FrameReader reader(plan.timeline, 0);
  PictureView picture;
  try {
    while (reader.read(picture)) {
    }
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("frame 62"));
    EXPECT_THAT(error.what(), HasSubstr("51 of the"));
  }
}

TEST_F(PlanTimeline, ChangedFilmIsNoticed) {
  const fs::path film = yuv420("a.mkv", kH264);
  Timeline timeline = plan_timeline(probe(film), {}).timeline;
  yuv420("a.mkv", std::string(kH264) + ":crf=40");
  EXPECT_THROW(FrameReader(timeline, 30), Error);
  // Even one of the same size, by its times.
  timeline.source_bytes = 0;
  make("a.mkv", {.filters = "format=yuv420p,setpts=PTS*1.13"}, std::string(kH264) + " -vsync vfr");
  try {
    read_hashes(timeline, 30);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("changed"));
  }
}

}  // namespace
}  // namespace vsr::media
