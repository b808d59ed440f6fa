// Reading from any frame on gives the pictures that reading from the start gives, and those are
// FFmpeg's own.
#include "clips.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace vsr::media {
namespace {

using test::Clip;

// The recipe, but for its sizes.
constexpr const char* kPalGraph =
    "bwdif=mode=send_frame:parity=tff:deint=all,"
    "zscale=w=256:h=144:matrixin=bt470bg:matrix=bt709:filter=bicubic,setsar=1,crop=256:108:0:18";

struct Case {
  const char* name;
  const char* file;
  bool interlaced;
  const char* format;   // of the pictures encoded
  const char* options;  // of the encoder
  const char* filters;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class DecodeAnywhere : public ::testing::TestWithParam<Case> {};

TEST_P(DecodeAnywhere, EqualsDecodingFromTheStart) {
  VSR_NEED_FFMPEG();
  const Case& c = GetParam();
  const test::TemporaryFolder folder;
  Clip clip;
  clip.interlaced = c.interlaced;
  clip.filters = std::string("format=") + c.format;
  const auto path = test::make_clip(folder.path() / c.file, clip, c.options);

  TimelineOptions options;
  options.filters = c.filters;
  const TimelinePlan plan = plan_timeline(probe(path), options);
  ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
  EXPECT_TRUE(plan.timeline.seekable);
  EXPECT_THAT(plan.warnings, ::testing::IsEmpty());
  ASSERT_EQ(plan.timeline.frames(), clip.frames);
  EXPECT_EQ(plan.timeline.rate, Rational(25, 1));

  const std::vector<std::string> all = test::read_hashes(plan.timeline, 0, -1, 1);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(clip.frames));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  EXPECT_EQ(all, test::ffmpeg_hashes(path, c.filters));

  // Every seventh frame, the frames about key pictures (12 apart), and the last.
  for (const int first :
       {1, 7, 11, 12, 13, 14, 21, 23, 24, 25, 26, 28, 35, 36, 37, 42, 49, 58, 59}) {
    const std::vector<std::string> some = test::read_hashes(plan.timeline, first, 5, 1 + first % 3);
    const auto begin = all.begin() + first;
    const std::vector<std::string> wanted(begin,
                                          begin + std::min<std::ptrdiff_t>(5, all.end() - begin));
    EXPECT_EQ(some, wanted) << "from frame " << first;
  }
}

// Takes the times out of an MPEG program stream but for every `keep`-th sequence header, as DVDs
// have them: blanks the fields in the headers of the video's packets.
void blank_times(const std::filesystem::path& path, int keep) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  in.close();
  const std::string start("\0\0\1\xe0", 4);
  const std::string sequence("\0\0\1\xb3", 4);
  int sequences = 0;
  for (std::size_t at = 0; (at = bytes.find(start, at)) != std::string::npos; at += 4) {
    const std::size_t header = static_cast<std::uint8_t>(bytes.at(at + 8));
    if ((bytes[at + 7] & 0xc0) == 0) continue;
    if (bytes.compare(at + 9 + header, 4, sequence) == 0 && sequences++ % keep == 0) continue;
    bytes[at + 7] = static_cast<char>(bytes[at + 7] & 0x3f);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at) + 9, header, '\xff');
  }
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(DecodeAnywhereOnDvd, TimesThatStandHereAndThereOnlyAreWorkedOut) {
  VSR_NEED_FFMPEG();
  const test::TemporaryFolder folder;
  for (const int keep : {1, 3}) {
    const auto path =
        test::make_clip(folder.path() / "a.vob",
                        {.interlaced = true, .filters = "format=yuv420p"},
                        "-c:v mpeg2video -b:v 2M -g 12 -bf 2 -flags +ildct+ilme -f dvd");
    const Timeline whole = plan_timeline(probe(path), {}).timeline;
    const std::vector<std::string> all = test::read_hashes(whole, 0);
    ASSERT_EQ(all.size(), 60U);
    blank_times(path, keep);
    const TimelinePlan plan = plan_timeline(probe(path), {});
    ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
    EXPECT_EQ(plan.timeline.source_pts, whole.source_pts);
    for (const int first : {0, 11, 12, 13, 25, 36, 40, 59}) {
      const std::vector<std::string> some = test::read_hashes(plan.timeline, first, 1);
      EXPECT_EQ(some, std::vector<std::string>(1, all[static_cast<std::size_t>(first)])) << first;
    }
  }
}

constexpr const char* kMpeg2 = "-c:v mpeg2video -b:v 2M -g 12 -bf 2 -flags +ildct+ilme";
constexpr const char* kOpenGops =
    "-c:v libx264 -x264-params "
    "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal";

INSTANTIATE_TEST_SUITE_P(
    Films,
    DecodeAnywhere,
    ::testing::Values(
        Case{"ProRes", "a.mov", false, "yuv422p10", "-c:v prores_ks", ""},
        Case{"ProResPal", "a.mov", true, "yuv422p10", "-c:v prores_ks", kPalGraph},
        Case{"H264OpenGopMkv", "a.mkv", false, "yuv420p", kOpenGops, ""},
        Case{"H264OpenGopMkvPal", "a.mkv", true, "yuv420p", kOpenGops, kPalGraph},
        Case{"H264OpenGopMp4EditList", "a.mp4", false, "yuv420p", kOpenGops, ""},
        Case{"H264OpenGopMp4NegativeCts",
             "a.mp4",
             false,
             "yuv420p",
             "-c:v libx264 -x264-params open-gop=1:keyint=12:bframes=3 -movflags "
             "+negative_cts_offsets",
             ""},
        Case{"H264OpenGopTs", "a.ts", false, "yuv420p", kOpenGops, ""},
        Case{"H264FieldsMkv",
             "a.mkv",
             true,
             "yuv420p",
             "-c:v libx264 -flags +ildct -x264-params tff=1:keyint=12:bframes=2",
             kPalGraph},
        Case{"HevcMkv",
             "a.mkv",
             false,
             "yuv420p10",
             "-c:v libx265 -preset fast -x265-params keyint=12:log-level=none",
             ""},
        Case{"Mpeg2Vob", "a.vob", true, "yuv420p", kMpeg2, ""},
        Case{"Mpeg2VobPal", "a.vob", true, "yuv420p", kMpeg2, kPalGraph},
        Case{"Mpeg2Ts", "a.ts", true, "yuv420p", kMpeg2, ""},
        Case{"Mpeg2TsPal", "a.ts", true, "yuv420p", kMpeg2, kPalGraph},
        Case{"Mpeg2Mkv", "a.mkv", true, "yuv420p", kMpeg2, kPalGraph},
        Case{"Mpeg4Avi", "a.avi", false, "yuv420p", "-c:v mpeg4 -b:v 2M -g 12 -bf 2", ""},
        Case{"Vp9Webm",
             "a.webm",
             false,
             "yuv420p",
             "-c:v libvpx-vp9 -g 12 -b:v 1M -deadline realtime -cpu-used 8",
             ""},
        Case{"Ffv1Mkv", "a.mkv", false, "yuv444p12", "-c:v ffv1", "hflip"}),
    [](const auto& made) { return std::string(made.param.name); });

}  // namespace
}  // namespace vsr::media
