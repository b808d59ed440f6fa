#include "vsr/media/scene_cuts.hpp"

#include "clips.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace vsr::media {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// --- whether it is a cut -------------------------------------------------------------------------

constexpr int kWidth = 128;
constexpr int kHeight = 72;

using Scene = std::function<double(int x, int y)>;

LumaSamples frame_of(const Scene& scene) {
  LumaSamples frame{kWidth, kHeight, 8, {}};
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      frame.values.push_back(static_cast<std::uint16_t>(std::clamp(scene(x, y), 0.0, 255.0)));
    }
  }
  return frame;
}

double waves(double x, double y) { return 128 + 60 * std::sin(x / 9) + 50 * std::cos(y / 7); }

double rings(double x, double y) { return 100 + 80 * std::cos(std::hypot(x - 90, y - 20) / 12); }

// Six frames: `scene(number, x, y)`.
bool cut_in(const std::function<double(int, int, int)>& scene) {
  std::vector<LumaSamples> frames;
  for (int number = 0; number < 2 * kFramesBesideCut; ++number) {
    frames.push_back(frame_of([&](int x, int y) { return scene(number, x, y); }));
  }
  return is_scene_cut(frames);
}

TEST(IsSceneCut, WhereAnotherPictureBegins) {
  EXPECT_TRUE(cut_in([](int n, int x, int y) { return n < 3 ? waves(x, y) : rings(x, y); }));
}

TEST(IsSceneCut, WhereBothScenesMove) {
  EXPECT_TRUE(
      cut_in([](int n, int x, int y) { return n < 3 ? waves(x + 2 * n, y) : rings(x, y + n); }));
}

TEST(IsSceneCut, OnlyInTheMiddle) {
  for (const int at : {1, 2, 4, 5}) {
    EXPECT_FALSE(cut_in([&](int n, int x, int y) { return n < at ? waves(x, y) : rings(x, y); }))
        << at;
  }
}

TEST(IsSceneCut, NotWhereNothingOrLittleChanges) {
  EXPECT_FALSE(cut_in([](int, int x, int y) { return waves(x, y); }));
  EXPECT_FALSE(cut_in([](int, int, int) { return 0; }));
  // The light goes up by eight levels.
  EXPECT_FALSE(cut_in([](int n, int x, int y) { return waves(x, y) + (n < 3 ? 0 : 8); }));
}

TEST(IsSceneCut, NotInAPan) {
  for (const int pixels : {1, 4, 9}) {
    EXPECT_FALSE(cut_in([&](int n, int x, int y) { return waves(x + pixels * n, y); })) << pixels;
  }
}

TEST(IsSceneCut, NotAtAFlash) {
  for (const int first : {0, 1, 2, 3, 4, 5}) {
    for (const int frames : {1, 2}) {
      EXPECT_FALSE(cut_in([&](int n, int x, int y) {
        return waves(x, y) + (n >= first && n < first + frames ? 120 : 0);
      })) << first
          << " " << frames;
    }
  }
}

TEST(IsSceneCut, NotInAFadeOrADissolve) {
  for (const double frames : {5.0, 12.0, 25.0}) {
    EXPECT_FALSE(cut_in([&](int n, int x, int y) { return waves(x, y) * (1 - n / frames); }))
        << frames;
    EXPECT_FALSE(cut_in([&](int n, int x, int y) {
      return waves(x, y) * (1 - n / frames) + rings(x, y) * n / frames;
    })) << frames;
  }
}

TEST(IsSceneCut, NeedsFramesOnBothSides) {
  EXPECT_THROW(is_scene_cut(std::vector<LumaSamples>(5)), Error);
}

// --- in a film -----------------------------------------------------------------------------------

// A real picture under a camera that goes slowly across it, in the scenes
//   0 as it is, 40 mirrored, 70 upside down with a flash of a frame at 85, 110 as it is and faded
//   to black until 140, 150 mirrored.
constexpr const char* kScenes =
    "scale=640:360,loop=-1:size=1,setpts=N/25/TB,fps=25,trim=end_frame=180,"
    "crop=320:180:x='n':y='n/2',format=yuv420p,"
    "hflip=enable='between(n,40,69)+gte(n,150)',vflip=enable='between(n,70,109)',"
    "eq=brightness=0.6:enable='eq(n,85)',"
    "eq=eval=frame:brightness='-(n-110)/30':enable='between(n,110,139)',"
    "eq=brightness=-1:enable='between(n,140,149)'";
constexpr int kFrames = 180;

class SceneCuts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::have_ffmpeg()) return;
    folder = new test::TemporaryFolder;
    std::vector<std::string> arguments = {
        "-i",
        (test::source_dir() / "tests/data/reds_demo_000.mkv").string(),
        "-an",
        "-vf",
        kScenes};
    for (const std::string& word :
         test::split_words("-c:v libx264 -preset veryfast -crf 20 -g 50 -bf 2")) {
      arguments.push_back(word);
    }
    arguments.push_back((folder->path() / "film.mkv").string());
    test::run_ffmpeg(arguments);
  }

  static void TearDownTestSuite() {
    delete folder;
    folder = nullptr;
  }

  void SetUp() override {
    VSR_NEED_FFMPEG();
    source_ = probe(folder->path() / "film.mkv");
    timeline_ = plan_timeline(source_, {}).timeline;
    ASSERT_EQ(timeline_.frames(), kFrames);
  }

  std::vector<std::int64_t> cuts(const std::vector<FrameRange>& places, int threads = 1) const {
    return find_scene_cuts(timeline_, source_.video.format, places, threads);
  }

  static test::TemporaryFolder* folder;
  SourceInfo source_;
  Timeline timeline_;
};

test::TemporaryFolder* SceneCuts::folder = nullptr;

TEST_F(SceneCuts, AreFoundWhereTheyAre) {
  EXPECT_THAT(cuts({{30, 51}, {60, 81}, {105, 116}, {140, 161}}), ElementsAre(40, 70, 110, 150));
  for (const std::int64_t cut : {40, 70}) {
    EXPECT_THAT(cuts({{cut, cut + 1}}), ElementsAre(cut));
    EXPECT_THAT(cuts({{cut + 1, cut + 20}}), IsEmpty());
    EXPECT_THAT(cuts({{cut - 20, cut}}), IsEmpty());
  }
}

TEST_F(SceneCuts, AFlashAndAFadeAreNone) { EXPECT_THAT(cuts({{76, 96}, {115, 138}}), IsEmpty()); }

TEST_F(SceneCuts, TheNearestToTheMiddleCounts) {
  EXPECT_THAT(cuts({{20, 81}}), ElementsAre(40));  // middle 50: 40 and 70
  EXPECT_THAT(cuts({{25, 96}}), ElementsAre(70));  // 60
  EXPECT_THAT(cuts({{25, 86}}), ElementsAre(40));  // 55: as far, the first
  EXPECT_THAT(cuts({{0, kFrames + 50}}), ElementsAre(110));
}

TEST_F(SceneCuts, DoNotDependOnThreadsNorOnTheWayThroughTheFilm) {
  const std::vector<FrameRange> places = {{10, 30}, {30, 51}, {60, 81}, {82, 90}, {140, 161}};
  const std::vector<std::int64_t> expected = {40, 70, 150};
  EXPECT_EQ(cuts(places, 1), expected);
  EXPECT_EQ(cuts(places, 4), expected);
  timeline_.seekable = false;
  EXPECT_EQ(cuts(places, 4), expected);
}

TEST_F(SceneCuts, AreLookedForInTheFilmBeforeItsFilters) {
  TimelineOptions options;
  options.filters = "bwdif=mode=send_frame,scale=64:64,crop=32:32";
  timeline_ = plan_timeline(source_, options).timeline;
  EXPECT_THAT(cuts({{30, 51}, {60, 81}}), ElementsAre(40, 70));
}

TEST_F(SceneCuts, OfALosslessCopyAreTheSame) {
  timeline_ =
      write_mezzanine(source_, {}, folder->path() / "copy.mkv", [](std::int64_t) { return true; });
  EXPECT_THAT(cuts({{30, 51}, {60, 81}}), ElementsAre(40, 70));
}

TEST_F(SceneCuts, AtTheFilmsEndsThereAreNone) {
  EXPECT_THAT(cuts({{0, 5}, {kFrames - 5, kFrames + 5}}), IsEmpty());
  EXPECT_THAT(cuts({}), IsEmpty());
}

TEST_F(SceneCuts, OnlyFramesNearbyAreDecodedAndAStopEndsIt) {
  std::int64_t decoded = 0;
  const auto find = [&](std::int64_t most) {
    return find_scene_cuts(
        timeline_, source_.video.format, {{60, 101}}, 1, [&](std::int64_t frames) {
          decoded = frames;
          return frames < most;
        });
  };
  EXPECT_THAT(find(1000), ElementsAre(70));
  // From 57 on: past the middle, 80, as far as 70 lies before it.
  EXPECT_EQ(decoded, 89 + kFramesBesideCut - 57);
  try {
    find(10);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_EQ(decoded, 10);
}

TEST_F(SceneCuts, AFilmThatIsGoneIsAnErrorWhateverTheThreads) {
  timeline_.source = (folder->path() / "gone.mkv").string();
  EXPECT_THROW(cuts({{30, 51}, {60, 81}, {140, 161}}, 3), Error);
}

}  // namespace
}  // namespace vsr::media
