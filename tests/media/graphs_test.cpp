// What users' filter graphs do to the number of pictures, and what they may not do.
#include "clips.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace vsr::media {
namespace {

using ::testing::HasSubstr;

class Graphs : public ::testing::Test {
 protected:
  void SetUp() override {
    VSR_NEED_FFMPEG();
    film_ = film("format=yuv420p");
  }

  std::filesystem::path film(const std::string& filters) const {
    return test::make_clip(folder_.path() / "film.mkv",
                           {.frames = 20, .width = 64, .height = 48, .filters = filters},
                           "-c:v ffv1");
  }

  Timeline mezzanine(const std::string& filters) {
    options_.filters = filters;
    return write_mezzanine(probe(film_), options_, folder_.path() / "mezzanine.mkv", {});
  }

  // The message of plan_timeline()'s refusal; empty: it takes the graph.
  std::string refusal(const std::string& filters) {
    options_.filters = filters;
    try {
      plan_timeline(probe(film_), options_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      return error.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
  std::filesystem::path film_;
  TimelineOptions options_;
};

TEST_F(Graphs, GiveTheSamePicturesOnAnyNumberOfThreads) {
  const auto large =
      test::make_clip(folder_.path() / "large.mkv",
                      {.frames = 4, .filters = "scale=352:288,format=yuv420p,noise=alls=20"},
                      "-c:v ffv1");
  options_.filters =
      "bwdif=mode=send_frame:parity=tff:deint=all,zscale=w=512:h=288:matrixin=bt470bg:matrix=bt709:"
      "filter=bicubic";
  const Timeline timeline = plan_timeline(probe(large), options_).timeline;
  const auto expected = test::read_hashes(timeline, 0, -1, 1);
  EXPECT_EQ(expected.size(), 4u);
  for (const int threads : {2, 5, 16}) {
    EXPECT_EQ(test::read_hashes(timeline, 0, -1, threads), expected) << threads;
  }
}

TEST_F(Graphs, OtherRatesKeepTheFilmToItsEnd) {
  for (const auto& [filters, frames] : {std::pair<const char*, std::int64_t>{"fps=50", 40},
                                        {"fps=60", 48},
                                        {"fps=25/2", 10},
                                        {"fps=25", 20},
                                        {"yadif=1", 40},
                                        {"bwdif=mode=send_field", 40}}) {
    SCOPED_TRACE(filters);
    const Timeline stored = mezzanine(filters);
    EXPECT_EQ(stored.frames(), frames);
    EXPECT_EQ(test::read_hashes(stored, 0), test::ffmpeg_hashes(film_, filters));
    EXPECT_EQ(plan_timeline(probe(film_), options_).timeline.frames(), frames);
  }
  // Interpolation between two pictures ends at the last one.
  EXPECT_EQ(test::read_hashes(mezzanine("minterpolate=fps=50:mi_mode=blend"), 0),
            test::ffmpeg_hashes(film_, "minterpolate=fps=50:mi_mode=blend"));
}

TEST_F(Graphs, FilmsWithoutAClockKeepTheirEndToo) {
  const auto raw = folder_.path() / "film.h264";
  test::run_ffmpeg({"-i", film_.string(), "-c:v", "libx264", "-bf", "0", raw.string()});
  film_ = raw;
  EXPECT_EQ(mezzanine("fps=50").frames(), 40);
}

TEST_F(Graphs, WantedRateComesAfterTheGraphs) {
  options_.fps = Rational(25, 1);
  EXPECT_EQ(mezzanine("fps=50").frames(), 20);
}

TEST_F(Graphs, WithoutEndAreRefused) {
  EXPECT_THAT(refusal("loop=-1:size=5"), HasSubstr("'loop=-1:size=5' makes pictures without end"));
  EXPECT_THAT(refusal("tpad=stop=-1"), HasSubstr("without end"));
  // One that shows what it is only behind the pictures that planning looks at.
  EXPECT_EQ(refusal("loop=-1:size=5:start=12"), "");
  try {
    mezzanine("loop=-1:size=5:start=12");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("without end"));
  }
  // Many pictures of one, but with an end.
  EXPECT_EQ(refusal("tpad=start_duration=60"), "");
}

TEST_F(Graphs, PlanningHeedsAStop) {
  std::vector<std::int64_t> seen;
  const auto all = plan_timeline(probe(film_), options_, [&](std::int64_t pictures) {
    seen.push_back(pictures);
    return true;
  });
  EXPECT_EQ(all.timeline.frames(), 20);
  ASSERT_GE(seen.size(), 20U);
  EXPECT_EQ(seen[10], 10);
  EXPECT_EQ(seen.back(), 20);
  // Wherever planning is: while it scans, or while a graph makes pictures for ever.
  options_.filters = "loop=-1:size=5";
  for (const std::size_t calls : {std::size_t{1}, std::size_t{10}, std::size_t{2000}}) {
    std::size_t called = 0;
    try {
      plan_timeline(probe(film_), options_, [&](std::int64_t) { return ++called < calls; });
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.what();
    }
    EXPECT_EQ(called, calls);
  }
}

TEST_F(Graphs, DecodingOnceHeedsAStopBeforeAnythingIsWritten) {
  options_.filters = "fps=50";
  const auto stop_at_once = [](std::int64_t pictures) {
    EXPECT_EQ(pictures, 0);
    return false;
  };
  try {
    write_mezzanine(probe(film_), options_, folder_.path() / "m.mkv", stop_at_once);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "m.mkv.part"));
}

TEST_F(Graphs, CropOutsideThePictureIsRefused) {
  EXPECT_EQ(refusal("crop=64:48:10:10"),
            "crop=64:48:10:10 reaches outside the picture, which is 64x48 there: make it smaller "
            "or move it (preprocess.crop or preprocess.filters)");
  EXPECT_THAT(refusal("scale=128:96,crop=120:40:10:0"), HasSubstr("which is 128x96 there"));
  EXPECT_THAT(refusal("crop=32:24:-2:0"), HasSubstr("reaches outside"));
  EXPECT_EQ(refusal("crop=54:38:10:10"), "");
}

TEST_F(Graphs, CropThroughChromaSamplesIsRefused) {
  EXPECT_EQ(refusal("crop=63:47:1:1"),
            "crop=63:47:1:1 would cut through the chroma samples of yuv420p pictures: width and x "
            "must be multiples of 2, height and y of 2; crop=62:46:2:2 is the nearest");
  EXPECT_THAT(refusal("crop=63:47:0:0"), HasSubstr("crop=62:46:0:0 is the nearest"));
  EXPECT_THAT(refusal("crop=iw-2:47"), HasSubstr("crop=iw-2:46:"));
  EXPECT_EQ(refusal("crop=62:46:2:2"), "");
  EXPECT_EQ(refusal("format=yuv444p,crop=63:47:1:1"), "");
  EXPECT_EQ(refusal("crop=63:47:0:0:exact=1"), "");
  EXPECT_EQ(refusal("crop=iw/2:ih/2"), "");
}

TEST_F(Graphs, OddSizesStayWhereChromaIsWhole) {
  film_ = test::make_clip(folder_.path() / "odd.mkv",
                          {.frames = 3, .width = 101, .height = 75, .filters = "format=yuv444p"},
                          "-c:v ffv1");
  const Timeline timeline = plan_timeline(probe(film_), options_).timeline;
  EXPECT_EQ(timeline.format.width, 101);
  EXPECT_EQ(timeline.format.height, 75);
}

}  // namespace
}  // namespace vsr::media
