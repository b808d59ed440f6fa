// The test that reading from any frame on gives the pictures that reading from the start gives, and
// that those are FFmpeg's own; its films are in two programs, one of them slow.
#pragma once

#include "clips.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <string>
#include <vector>

namespace vsr::media {

// The recipe, but for its sizes.
inline constexpr const char* kPalGraph =
    "bwdif=mode=send_frame:parity=tff:deint=all,"
    "zscale=w=256:h=144:matrixin=bt470bg:matrix=bt709:filter=bicubic,setsar=1,crop=256:108:0:18";

inline constexpr const char* kMpeg2 = "-c:v mpeg2video -b:v 2M -g 12 -bf 2 -flags +ildct+ilme";
inline constexpr const char* kOpenGops =
    "-c:v libx264 -x264-params "
    "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal";

struct Case {
  const char* name;
  const char* file;
  bool interlaced;
  const char* format;   // of the pictures encoded
  const char* options;  // of the encoder
  const char* filters;
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class DecodeAnywhere : public ::testing::TestWithParam<Case> {};

TEST_P(DecodeAnywhere, EqualsDecodingFromTheStart) {
  VSR_NEED_FFMPEG();
  const Case& c = GetParam();
  const test::TemporaryFolder folder;
  test::Clip clip;
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

}  // namespace vsr::media
