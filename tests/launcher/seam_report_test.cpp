#include "seam_report.hpp"

#include "vsr/job/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;

LumaSamples picture(int level) {
  return {2, 1, 8, {static_cast<std::uint16_t>(level), static_cast<std::uint16_t>(level)}};
}

// Segments of 100 frames (`frames` in all, or so many as there are errors); what the segment makes
// of its frames is `error` off, by segment.
std::map<int, assemble::Seam> seams(const std::vector<int>& errors,
                                    int overlap = 2,
                                    std::int64_t frames = 0) {
  std::map<int, assemble::Seam> made;
  LumaByFrame before;
  if (frames == 0) frames = static_cast<std::int64_t>(100 * errors.size());
  for (const Segment& segment : plan_segments(frames, {100, overlap})) {
    LumaByFrame luma;
    for (const FrameRange& range : seam_frames(segment)) {
      for (std::int64_t frame = range.begin; frame < range.end; ++frame) {
        const int error = errors.at(static_cast<std::size_t>(segment.index));
        luma[frame] = picture(50 + static_cast<int>(frame % 2) + error);
      }
    }
    if (segment.index > 0) {
      made[segment.index] = assemble::measure_seam(segment.core.begin, before, luma);
    }
    before = std::move(luma);
  }
  return made;
}

TEST(SeamReport, NamesFrameAndFiguresOfTheSeamsThatMayBeSeen) {
  const SeamReport report = report_seams(seams({0, 0, 3, 3}));
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_THAT(report.warnings[0], HasSubstr("frame 200, where segment 2 begins"));
  EXPECT_THAT(report.warnings[0], HasSubstr("a likeness of 38.6 dB"));
  EXPECT_THAT(report.warnings[0], HasSubstr("2.00 times"));
  EXPECT_THAT(report.warnings[0], HasSubstr("larger stream.overlap"));
  ASSERT_EQ(report.figures.size(), 3u);
  EXPECT_THAT(report.figures[1],
              HasSubstr("seam at frame 200: step 2.00, usual 1.00 of 255 levels; 38.6 dB, by frame "
                        "198: 38.6 199: 38.6 200: 38.6 201: 38.6"));
  EXPECT_THAT(report.summary, HasSubstr("in 3 places, of which 1 may be seen"));
  EXPECT_THAT(report.summary,
              HasSubstr("the lowest likeness of both is 38.6 dB, at frame 200 (higher"));
}

TEST(SeamReport, CountsTheManyThatItDoesNotList) {
  std::vector<int> errors;
  for (int i = 0; i < 22; ++i) errors.push_back(3 * (i % 2));
  const SeamReport report = report_seams(seams(errors, 2, 2000));  // 18, and four in halves
  ASSERT_EQ(report.warnings.size(), 11u);
  EXPECT_THAT(report.warnings.back(), HasSubstr("and 11 more seams"));
}

TEST(SeamReport, SaysThatWithoutAnOverlapNothingIsKnown) {
  const SeamReport report = report_seams(seams({0, 9}, 0));
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_THAT(report.summary, HasSubstr("nothing can be judged"));
}

TEST(SeamReport, OfOneSegmentIsEmpty) {
  const SeamReport report = report_seams(seams({0}));
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_EQ(report.summary, "");
}

}  // namespace
}  // namespace vsr::launcher
