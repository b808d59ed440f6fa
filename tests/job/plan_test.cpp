#include "vsr/job/plan.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

namespace vsr {
namespace {

void expect_tiles(const std::vector<Segment>& segments, std::int64_t frames, int overlap) {
  std::int64_t next = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    ASSERT_EQ(segment.index, static_cast<int>(i));
    ASSERT_EQ(segment.core.begin, next);
    ASSERT_GT(segment.core.size(), 0);
    ASSERT_EQ(segment.input.begin, std::max<std::int64_t>(0, segment.core.begin - overlap));
    ASSERT_EQ(segment.input.end, std::min<std::int64_t>(frames, segment.core.end + overlap));
    next = segment.core.end;
  }
  ASSERT_EQ(next, frames);
}

TEST(PlanSegments, CoresTileTheTimelineForThousandsOfLengths) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    const std::int64_t frames = 1 + static_cast<std::int64_t>(random() % 5000);
    const int length = 1 + static_cast<int>(random() % 700);
    const int overlap = static_cast<int>(random() % 40);
    const auto segments = plan_segments(frames, {length, overlap});
    expect_tiles(segments, frames, overlap);
    for (const Segment& segment : segments) {
      ASSERT_LT(segment.core.size(), 1.5 * length + 1);
      if (frames >= length) {
        ASSERT_GE((segments.size() < 10 ? 2 : 4) * segment.core.size() + 3, length);
      }
    }
  }
}

TEST(PlanSegments, TheLastTenthIsInHalves) {
  const auto segments = plan_segments(2000, {100, 10});
  ASSERT_EQ(segments.size(), 22u);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    EXPECT_EQ(segments[i].core.size(), i < 18 ? 100 : 50) << i;
  }
  EXPECT_EQ(plan_segments(1000, {100, 10}).size(), 11u);
  EXPECT_EQ(plan_segments(950, {100, 10}).size(), 10u);  // the last one of 50 as it is
  EXPECT_EQ(plan_segments(949, {100, 10}).size(), 9u);
}

TEST(PlanSegments, LastCoreShorterThanHalo) {
  const auto segments = plan_segments(16, {10, 12});
  expect_tiles(segments, 16, 12);
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[1].input, (FrameRange{0, 16}));
}

std::vector<std::int64_t> ends_of(const std::vector<Segment>& segments) {
  std::vector<std::int64_t> ends;
  for (const Segment& segment : segments) ends.push_back(segment.core.end);
  return ends;
}

TEST(PlanSegments, EndsMoveToTheNearestSceneCutWithinAQuarter) {
  using Ends = std::vector<std::int64_t>;
  const auto ends = [](const std::vector<std::int64_t>& cuts) {
    return ends_of(plan_segments(400, {100, 10}, cuts));
  };
  EXPECT_EQ(ends({}), (Ends{100, 200, 300, 400}));
  EXPECT_EQ(ends({75, 225, 301}), (Ends{75, 225, 301, 400}));
  EXPECT_EQ(ends({74, 226, 350}), (Ends{100, 200, 300, 400}));
  EXPECT_EQ(ends({80, 110, 115, 190, 210}), (Ends{110, 190, 300, 400}));  // as far: the first
  EXPECT_EQ(ends({100, 101}), (Ends{100, 200, 300, 400}));
  // Segments without a quarter do not move.
  EXPECT_EQ(ends_of(plan_segments(6, {3, 1}, {1, 2, 3, 4, 5})), (Ends{3, 6}));
}

TEST(PlanSegments, CutsChangeNeitherNumberNorTilingForThousandsOfFilms) {
  std::mt19937 random(3);
  for (int round = 0; round < 5000; ++round) {
    const std::int64_t frames = 1 + static_cast<std::int64_t>(random() % 5000);
    const int length = 1 + static_cast<int>(random() % 700);
    const int overlap = static_cast<int>(random() % 40);
    const auto rate = 1 + random() % 200;  // a cut in so many frames
    std::vector<std::int64_t> cuts;
    for (std::int64_t frame = 1; frame < frames; ++frame) {
      if (random() % rate == 0) cuts.push_back(frame);
    }
    const PlanOptions options{length, overlap};
    const auto even = plan_segments(frames, options);
    const auto segments = plan_segments(frames, options, cuts);
    expect_tiles(segments, frames, overlap);
    ASSERT_EQ(segments.size(), even.size());
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::int64_t end = segments[i].core.end;
      ASSERT_LE(std::abs(end - even[i].core.end), length / 4);
      ASSERT_TRUE(end == even[i].core.end || std::ranges::binary_search(cuts, end));
      ASSERT_LE(4 * segments[i].core.size(), 7 * length + 3);
      if (frames >= length) {
        ASSERT_GE((segments.size() < 10 ? 4 : 8) * segments[i].core.size() + 7, length);
      }
    }
  }
}

TEST(SceneCutPlaces, AreAQuarterOfASegmentAroundEachEndBetweenTwo) {
  EXPECT_EQ(scene_cut_places(250, {100, 10}), (std::vector<FrameRange>{{75, 126}, {175, 226}}));
  EXPECT_TRUE(scene_cut_places(149, {100, 10}).empty());
  EXPECT_TRUE(scene_cut_places(100, {3, 10}).empty());
  EXPECT_THROW(scene_cut_places(0, {}), Error);
}

TEST(PlanSegments, RefusesNonsense) {
  EXPECT_THROW(plan_segments(0, {}), Error);
  EXPECT_THROW(plan_segments(10, {0, 0}), Error);
  EXPECT_THROW(plan_segments(10, {5, -1}), Error);
}

TEST(SeamFrames, AreTheNearestOnBothSidesOfEachEnd) {
  using Ranges = std::vector<FrameRange>;
  EXPECT_EQ(seam_frames({1, {100, 200}, {90, 210}}), (Ranges{{96, 104}, {196, 204}}));
  // No more than there is: a short overlap, the film's begin, none.
  EXPECT_EQ(seam_frames({1, {100, 200}, {98, 202}}), (Ranges{{98, 104}, {196, 202}}));
  EXPECT_EQ(seam_frames({0, {0, 200}, {0, 210}}), (Ranges{{0, 4}, {196, 204}}));
  EXPECT_EQ(seam_frames({1, {100, 200}, {100, 200}}), (Ranges{{100, 104}, {196, 200}}));
  // Short segments have each frame once.
  EXPECT_EQ(seam_frames({1, {100, 108}, {90, 118}}), (Ranges{{96, 112}}));
  EXPECT_EQ(seam_frames({1, {100, 103}, {99, 104}}), (Ranges{{99, 104}}));
}

TEST(PlanWindows, EveryFrameOnceAndHalosInRange) {
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    const std::int64_t begin = static_cast<std::int64_t>(random() % 1000);
    const std::int64_t frames = 1 + static_cast<std::int64_t>(random() % 600);
    const Segment segment{0, {begin, begin + frames}, {begin, begin + frames}};
    const int longest = 1 + static_cast<int>(random() % 120);
    const int overlap = static_cast<int>(random() % 30);
    const auto windows = plan_windows(segment, longest, overlap);
    const std::int64_t context = std::min(overlap, (longest - 1) / 2);
    std::int64_t next = begin;
    for (const Window& window : windows) {
      ASSERT_EQ(window.core.begin, next);
      ASSERT_GT(window.core.size(), 0);
      ASSERT_LE(window.input.size(), longest);
      ASSERT_TRUE(window.input.contains(window.core));
      ASSERT_TRUE(segment.input.contains(window.input));
      // Context on both sides, but for the segment's own ends.
      ASSERT_LE(window.input.begin, std::max(begin, window.core.begin - context));
      ASSERT_GE(window.input.end, std::min(segment.input.end, window.core.end + context));
      next = window.core.end;
    }
    ASSERT_EQ(next, segment.input.end);
  }
}

TEST(PlanWindows, FewestAndEvenlyFilled) {
  // 500 frames, 100 at once, 10 of context: 90 + 80n + 90, so 6 windows; none a stub.
  const Segment segment{0, {10, 490}, {0, 500}};
  const auto windows = plan_windows(segment, 100, 10);
  ASSERT_EQ(windows.size(), 6u);
  for (const Window& window : windows) {
    EXPECT_GE(window.core.size(), 75);
    EXPECT_LE(window.core.size(), 90);
  }
  // With room to spare the windows are alike.
  for (const Window& window : plan_windows({0, {0, 400}, {0, 400}}, 100, 10)) {
    EXPECT_NEAR(static_cast<double>(window.core.size()), 80, 5);
  }
}

TEST(PlanWindows, OneWindowWhenAllFits) {
  const Segment segment{0, {10, 90}, {0, 100}};
  const auto windows = plan_windows(segment, 100, 10);
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].input, segment.input);
  EXPECT_EQ(windows[0].core, segment.input);
}

TEST(PlanWindows, RememberedOnesLookAheadOnly) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const std::int64_t begin = static_cast<std::int64_t>(random() % 1000);
    const std::int64_t frames = 1 + static_cast<std::int64_t>(random() % 600);
    const Segment segment{0, {begin, begin + frames}, {begin, begin + frames}};
    const int longest = 1 + static_cast<int>(random() % 120);
    const int overlap = static_cast<int>(random() % 30);
    const std::int64_t ahead = std::min(overlap, longest - 1);
    const auto windows = plan_windows(segment, longest, overlap, Past::kRemembered);
    std::int64_t next = begin;
    for (const Window& window : windows) {
      ASSERT_EQ(window.core.begin, next);
      ASSERT_EQ(window.input.begin, window.core.begin);
      ASSERT_GT(window.core.size(), 0);
      ASSERT_LE(window.input.size(), longest);
      ASSERT_EQ(window.input.end, std::min(segment.input.end, window.core.end + ahead));
      next = window.core.end;
    }
    ASSERT_EQ(next, segment.input.end);
    // The fewest: all but the last give `longest - ahead` at most.
    const std::int64_t rest = std::max<std::int64_t>(frames - longest, 0);
    const std::int64_t most = longest - ahead;
    ASSERT_EQ(static_cast<std::int64_t>(windows.size()), 1 + (rest + most - 1) / most);
  }
}

TEST(NextWindow, HalvedInMidSegmentStillTiles) {
  const Segment segment{0, {0, 300}, {0, 300}};
  std::int64_t position = 0;
  int longest = 64;
  int count = 0;
  while (position < 300) {
    const Window window = next_window(segment, position, longest, 10);
    ASSERT_EQ(window.core.begin, position);
    position = window.core.end;
    longest = std::max(1, longest / 2);
    ASSERT_LT(++count, 400);
  }
  EXPECT_EQ(position, 300);
}

TEST(PreferredSegments, ContiguousAndEqualToWithinOne) {
  for (int ranks = 1; ranks < 12; ++ranks) {
    for (int segments = 0; segments < 40; ++segments) {
      std::int64_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const FrameRange mine = preferred_segments(segments, rank, ranks);
        ASSERT_EQ(mine.begin, next);
        ASSERT_GE(mine.size(), segments / ranks);
        ASSERT_LE(mine.size(), segments / ranks + 1);
        next = mine.end;
      }
      ASSERT_EQ(next, segments);
    }
  }
}

}  // namespace
}  // namespace vsr
