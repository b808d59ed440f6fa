#include "clips.hpp"
#include "vsr/base/error.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace vsr::media {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Hashes = std::vector<std::string>;

class SourceMezzanine : public ::testing::Test {
 protected:
  void SetUp() override {
    VSR_NEED_FFMPEG();
    film_ = test::make_clip(
        folder_.path() / "film.mkv",
        {.interlaced = true,
         .filters = "format=yuv420p,setparams=colorspace=bt470bg:color_primaries=bt470bg:color_trc="
                    "bt470bg"},
        "-c:v mpeg2video -b:v 2M -g 12 -bf 2 -flags +ildct+ilme -colorspace bt470bg "
        "-color_primaries bt470bg -color_trc gamma28");
    options_.filters =
        "bwdif=mode=send_frame:parity=tff:deint=all,zscale=w=256:h=144:matrixin=bt470bg:matrix="
        "bt709:"
        "filter=bicubic,setsar=1,crop=256:108:0:18";
  }

  fs::path path() const { return folder_.path() / "mezzanine.mkv"; }

  test::TemporaryFolder folder_;
  fs::path film_;
  TimelineOptions options_;
};

TEST_F(SourceMezzanine, HoldsTheTimelinesPicturesBitForBit) {
  const Timeline direct = plan_timeline(probe(film_), options_).timeline;
  std::vector<std::int64_t> seen;
  const Timeline stored =
      write_mezzanine(probe(film_), options_, path(), [&](std::int64_t pictures) {
        seen.push_back(pictures);
        return true;
      });
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_TRUE(std::ranges::find(seen, 30) != seen.end());
  EXPECT_EQ(seen.back(), 60);
  EXPECT_TRUE(fs::exists(path()));
  EXPECT_FALSE(fs::exists(path().string() + ".part"));
  EXPECT_EQ(stored.source, path().string());
  EXPECT_EQ(stored.filters, "");
  EXPECT_EQ(stored.format, direct.format);
  EXPECT_EQ(stored.colour, direct.colour);
  EXPECT_EQ(stored.rate, direct.rate);
  EXPECT_EQ(stored.start_time_s, direct.start_time_s);
  EXPECT_TRUE(stored.seekable);
  const Hashes all = test::read_hashes(direct, 0);
  EXPECT_EQ(test::read_hashes(stored, 0), all);
  for (const int first : {1, 2, 3, 30, 59}) {
    EXPECT_EQ(test::read_hashes(Timeline::deserialize(stored.serialize()), first, 1),
              Hashes(1, all[static_cast<std::size_t>(first)]));
  }
}

TEST_F(SourceMezzanine, IsIntraOnlyFfv1WithItsTags) {
  write_mezzanine(probe(film_), options_, path(), {});
  const auto shown =
      test::run_process({"ffprobe",
                         "-v",
                         "error",
                         "-count_packets",
                         "-show_entries",
                         ("stream=codec_name,pix_fmt,color_range,color_space,color_transfer,"
                          "color_primaries,nb_read_packets,r_frame_rate,sample_aspect_ratio"),
                         "-of",
                         "default=nw=1",
                         path().string()});
  for (const char* line : {"codec_name=ffv1",
                           "pix_fmt=yuv420p",
                           "color_range=tv",
                           "color_space=bt709",
                           "color_transfer=bt709",
                           "color_primaries=bt709",
                           "r_frame_rate=25/1",
                           "nb_read_packets=60",
                           "sample_aspect_ratio=1:1"}) {
    EXPECT_THAT(shown.output, HasSubstr(line));
  }
  const auto packets = test::run_process({"ffprobe",
                                          "-v",
                                          "error",
                                          "-show_entries",
                                          "packet=flags",
                                          "-of",
                                          "csv=p=0",
                                          path().string()});
  EXPECT_THAT(packets.output, ::testing::StartsWith("K"));
  EXPECT_THAT(packets.output, ::testing::Not(HasSubstr("\n_")));
}

TEST_F(SourceMezzanine, OfARangeIsThatRange) {
  const Hashes all = test::read_hashes(plan_timeline(probe(film_), options_).timeline, 0);
  options_.start_s = 1.2;
  options_.end_s = 1.6;
  const Timeline some = write_mezzanine(probe(film_), options_, path(), {});
  EXPECT_EQ(some.frames(), 10);
  EXPECT_EQ(some.start_time_s, Rational(6, 5));
  EXPECT_EQ(test::read_hashes(some, 0), Hashes(all.begin() + 30, all.begin() + 40));
}

TEST_F(SourceMezzanine, StoppedLeavesNoFinishedFile) {
  try {
    write_mezzanine(
        probe(film_), options_, path(), [](std::int64_t pictures) { return pictures < 20; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_FALSE(fs::exists(path()));
  // The next attempt writes over what was left.
  EXPECT_EQ(write_mezzanine(probe(film_), options_, path(), {}).frames(), 60);
}

TEST_F(SourceMezzanine, UnwritablePlaceIsAStorageError) {
  for (const fs::path& place :
       {folder_.path() / "nowhere" / "m.mkv", fs::path("/dev/full/m.mkv")}) {
    try {
      write_mezzanine(probe(film_), options_, place, {});
      FAIL() << place;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kStorage) << error.what();
    }
  }
}

TEST_F(SourceMezzanine, FullDiskIsAStorageError) {
  // A part file that is a device without room.
  fs::create_symlink("/dev/full", path().string() + ".part");
  try {
    write_mezzanine(probe(film_), options_, path(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("mezzanine.mkv.part"));
  }
  EXPECT_FALSE(fs::exists(path()));
}

}  // namespace
}  // namespace vsr::media
