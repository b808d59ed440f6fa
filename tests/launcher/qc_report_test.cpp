// What qc makes of frames' figures, and the options that it shares with compare.
#include "qc_report.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace vsr::launcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(SpreadOf, TakesPercentilesByNearestRank) {
  std::vector<double> values;
  for (int i = 1; i <= 200; ++i) values.push_back(i);
  const Spread spread = spread_of(values);
  EXPECT_DOUBLE_EQ(spread.mean, 100.5);
  EXPECT_EQ(spread.least, 1);
  EXPECT_EQ(spread.percentile_1, 2);
  EXPECT_EQ(spread.percentile_5, 10);
}

TEST(SpreadOf, IdenticalFramesDoNotCountForTheMean) {
  const Spread spread = spread_of({kInfinite, 30, kInfinite, 40});
  EXPECT_DOUBLE_EQ(spread.mean, 35);
  EXPECT_EQ(spread.least, 30);
  EXPECT_TRUE(std::isinf(spread_of({kInfinite}).mean));
}

media::PairQuality pair(std::int64_t frame, double luma, double chroma) {
  media::PairQuality made{{frame, frame}, {}};
  made.quality.planes[0] = {luma, 0.9};
  made.quality.planes[1] = made.quality.planes[2] = {chroma, 0.8};
  return made;
}

TEST(Summarise, TellsMeanSquareAndMeanOfFramesApart) {
  const PictureFormat format{64, 64, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  const QcSummary summary = summarise({pair(0, 1, 0), pair(1, 100, 0)}, format);
  ASSERT_EQ(summary.planes.size(), 4u);
  EXPECT_EQ(summary.planes[0].name, "Y");
  EXPECT_NEAR(summary.planes[0].psnr, psnr_of(50.5, 8), 1e-9);
  EXPECT_NEAR(summary.planes[0].psnr_of_frame.mean, (psnr_of(1, 8) + psnr_of(100, 8)) / 2, 1e-9);
  EXPECT_TRUE(std::isinf(summary.planes[1].psnr));
  EXPECT_EQ(summary.planes[3].name, "all");
  EXPECT_NEAR(summary.planes[3].psnr, psnr_of(50.5 * 2 / 3, 8), 1e-9);
  EXPECT_NEAR(summary.planes[3].ssim.value_or(Spread{}).mean, (0.9 * 2 + 0.8) / 3, 1e-9);
  EXPECT_THAT(summary.worst, ElementsAre(1, 0));
  EXPECT_FALSE(summary.identical);
}

TEST(Summarise, ListsTheTenWorstWithoutIdenticalOnes) {
  const PictureFormat format{64, 64, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  std::vector<media::PairQuality> pairs{pair(0, 0, 0)};
  for (int i = 1; i < 30; ++i) pairs.push_back(pair(i, i % 7, 1));
  const QcSummary summary = summarise(pairs, format);
  EXPECT_EQ(summary.identical_frames, 1);
  EXPECT_THAT(summary.worst, ElementsAre(6, 13, 20, 27, 5, 12, 19, 26, 4, 11));
}

std::string refusal_of(const std::string& text) {
  try {
    frame_at("at", text, {100, {25, 1}});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(FrameAt, TakesTimesAndNumbers) {
  const media::FilmLength film{100, {25, 1}};
  EXPECT_EQ(frame_at("at", "0", film), 0);
  EXPECT_EQ(frame_at("at", "0.039", film), 0);
  EXPECT_EQ(frame_at("at", "0.04", film), 1);
  EXPECT_EQ(frame_at("at", "0:00:03.96", film), 99);
  EXPECT_EQ(frame_at("at", "#99", film), 99);
  EXPECT_THAT(refusal_of("4"), HasSubstr("behind the end of A, which has 100 frames"));
  EXPECT_THAT(refusal_of("1e300"), HasSubstr("behind the end"));
  for (const char* text : {"#100", "#-1", "#", "#1.5", "-1", "", "noon", "1:2:3:4"}) {
    EXPECT_THAT(refusal_of(text), HasSubstr("--at=")) << text;
  }
}

TEST(CheckOutput, NeverReplacesAFilmNorAnythingUnasked) {
  const test::TemporaryFolder folder;
  const auto touch = [&](const char* name) {
    std::ofstream(folder.path() / name) << "x";
    return (folder.path() / name).string();
  };
  Arguments arguments;
  arguments.inputs = {touch("a.mkv"), touch("b.mkv")};
  const auto refusal = [&](const std::string& output) -> std::string {
    try {
      check_output(output, arguments);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal((folder.path() / "new.csv").string()), "");
  const std::string old = touch("old.csv");
  EXPECT_THAT(refusal(old), HasSubstr("--force"));
  arguments.force = true;
  EXPECT_EQ(refusal(old), "");
  EXPECT_THAT(refusal(arguments.inputs[1]), HasSubstr("one of the films"));
  EXPECT_THAT(refusal(folder.path().string()), HasSubstr("no regular file"));
  std::filesystem::create_symlink(arguments.inputs[0], folder.path() / "link.csv");
  EXPECT_THAT(refusal((folder.path() / "link.csv").string()), HasSubstr("one of the films"));
}

}  // namespace
}  // namespace vsr::launcher
