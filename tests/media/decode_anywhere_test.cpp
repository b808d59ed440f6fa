#include "decode_anywhere.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace vsr::media {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Films,
    DecodeAnywhere,
    ::testing::Values(Case{"ProResPal", "a.mov", true, "yuv422p10", "-c:v prores_ks", kPalGraph},
                      Case{"H264OpenGopMkvPal", "a.mkv", true, "yuv420p", kOpenGops, kPalGraph},
                      Case{"H264OpenGopMp4EditList", "a.mp4", false, "yuv420p", kOpenGops, ""},
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
                      Case{"Mpeg2VobPal", "a.vob", true, "yuv420p", kMpeg2, kPalGraph},
                      Case{"Mpeg2TsPal", "a.ts", true, "yuv420p", kMpeg2, kPalGraph},
                      Case{"Mpeg2Mkv", "a.mkv", true, "yuv420p", kMpeg2, kPalGraph}),
    [](const auto& made) { return std::string(made.param.name); });

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

}  // namespace
}  // namespace vsr::media
