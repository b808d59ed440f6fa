// Sizes and pictures of `vsr-dist compare`; its files are looked at in tests/system/qc_test.py.
#include "vsr/assemble/comparison.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace vsr::assemble {
namespace {

using ::testing::HasSubstr;

media::VideoInfo film(int width, int height, const Rational& aspect = {1, 1}) {
  media::VideoInfo video;
  video.format.width = width;
  video.format.height = height;
  video.sample_aspect = aspect;
  return video;
}

std::vector<int> sizes(const media::VideoInfo& a,
                       const media::VideoInfo& b,
                       ComparisonLayout layout,
                       ComparisonFile file) {
  const auto [of_a, of_b] = comparison_forms(a, b, layout, file);
  return {of_a.format.width, of_a.format.height, of_b.format.width, of_b.format.height};
}

using Sizes = std::vector<int>;
constexpr auto kSide = ComparisonLayout::kSide;
constexpr auto kSplit = ComparisonLayout::kSplit;

TEST(ComparisonForms, SideBySideHaveTheHeightOfTheHigher) {
  EXPECT_EQ(sizes(film(320, 180), film(1280, 720), kSide, ComparisonFile::kMkv),
            (Sizes{1280, 720, 1280, 720}));
  EXPECT_EQ(sizes(film(1024, 432), film(640, 480), kSide, ComparisonFile::kMkv),
            (Sizes{1138, 480, 640, 480}));
}

TEST(ComparisonForms, AVideoIsNoWiderThan3840) {
  const Sizes video = sizes(film(3414, 1440), film(1024, 432), kSide, ComparisonFile::kMp4);
  EXPECT_LE(video[0] + video[2], 3840);
  EXPECT_GE(video[0] + video[2], 3830);
  EXPECT_EQ(video[1], video[3]);
  EXPECT_EQ(sizes(film(3414, 1440), film(1024, 432), kSide, ComparisonFile::kPng)[1], 1440);
}

// At 720 lines it would be 921,600 pixels wide.
TEST(ComparisonForms, APictureOfAFilmOfOneLineIsNoWiderThan32000) {
  for (const auto file : {ComparisonFile::kPng, ComparisonFile::kJpg}) {
    const Sizes picture = sizes(film(1280, 720), film(1280, 1), kSide, file);
    EXPECT_LE(picture[0] + picture[2], 32000);
    EXPECT_EQ(picture[1], picture[3]);
    EXPECT_EQ(picture[1], 24);
  }
}

TEST(ComparisonForms, SplitHasTheSizeOfTheLarger) {
  EXPECT_EQ(sizes(film(3414, 1440), film(1024, 432), kSplit, ComparisonFile::kMkv),
            (Sizes{3414, 1440, 3414, 1440}));
  EXPECT_EQ(sizes(film(1024, 432), film(3414, 1440), kSplit, ComparisonFile::kPng),
            (Sizes{3414, 1440, 3414, 1440}));
}

TEST(ComparisonForms, HaveSquarePixelsAndEvenSides) {
  EXPECT_EQ(sizes(film(720, 576, {64, 45}), film(427, 241), kSplit, ComparisonFile::kMkv),
            (Sizes{1024, 576, 1024, 576}));
  for (const int length : sizes(film(213, 121), film(427, 241), kSide, ComparisonFile::kMkv)) {
    EXPECT_EQ(length % 2, 0);
  }
}

TEST(ComparisonFileOf, GoesByTheExtension) {
  EXPECT_EQ(comparison_file("a/b.mkv"), ComparisonFile::kMkv);
  EXPECT_EQ(comparison_file("B.MP4"), ComparisonFile::kMp4);
  EXPECT_EQ(comparison_file("x.y.JPEG"), ComparisonFile::kJpg);
  for (const char* path : {"film", "film.avi", "folder.mkv/film", ".png"}) {
    try {
      comparison_file(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(".mkv, .mp4 or .mov"));
    }
  }
}

struct Plain {
  std::vector<std::byte> memory;
  MutablePictureView view;

  Plain(const PictureFormat& format, int value)
      : memory(packed_bytes(format), static_cast<std::byte>(value)),
        view(packed_view(format, memory.data())) {}

  int at(int plane, int x, int y) const {
    const auto p = static_cast<std::size_t>(plane);
    return std::to_integer<int>(view.planes[p][y * view.pitch_bytes[p] + x]);
  }
};

TEST(Compose, PutsThemSideBySide) {
  const PictureFormat left{6, 4, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  const PictureFormat right{10, 4, ColourModel::kYuv, ChromaSubsampling::k420, 8};
  const Plain a(left, 10);
  const Plain b(right, 200);
  const PictureFormat format = composed_format(left, right, kSide);
  EXPECT_EQ(format.width, 16);
  Plain both(format, 1);
  compose(a.view, b.view, kSide, false, both.view);
  for (int plane = 0; plane < 3; ++plane) {
    const int seam = plane == 0 ? 6 : 3;
    for (int y = 0; y < plane_height(format, plane); ++y) {
      for (int x = 0; x < plane_width(format, plane); ++x) {
        ASSERT_EQ(both.at(plane, x, y), x < seam ? 10 : 200) << plane << ' ' << x << ' ' << y;
      }
    }
  }
}

TEST(Compose, SplitsDownTheMiddleWithALine) {
  for (const auto subsampling : {ChromaSubsampling::k420, ChromaSubsampling::k444}) {
    const PictureFormat format{22, 6, ColourModel::kYuv, subsampling, 8};
    const Plain a(format, 10);
    const Plain b(format, 200);
    Plain both(format, 1);
    compose(a.view, b.view, kSplit, false, both.view);
    EXPECT_EQ(both.at(0, 0, 0), 10);
    EXPECT_EQ(both.at(0, 21, 5), 200);
    int lights = 0;
    for (int x = 0; x < 22; ++x) lights += both.at(0, x, 3) == 235 ? 1 : 0;
    EXPECT_EQ(lights, 2);
    EXPECT_EQ(std::count(both.memory.begin(), both.memory.end(), std::byte{1}), 0);
  }
}

}  // namespace
}  // namespace vsr::assemble
