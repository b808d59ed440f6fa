#include "vsr/media/film_shift.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace vsr::media {
namespace {

// A spot that wanders before a picture that stands; frame by frame as if the film were endless.
Thumbnail scene(int frame, double noise = 0, double gain = 1) {
  constexpr int kWidth = 24;
  constexpr int kHeight = 14;
  std::mt19937 random(static_cast<unsigned>(frame + 1000));
  std::normal_distribution<double> normal(0, 1);
  const double x0 = 12 + 9 * std::sin(0.13 * frame) + 2 * std::sin(0.7 * frame);
  const double y0 = 7 + 5 * std::cos(0.09 * frame + 1);
  Thumbnail picture;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const double distance = (x - x0) * (x - x0) + (y - y0) * (y - y0);
      const double value = 0.2 + 0.3 * x / kWidth + 0.4 * std::exp(-distance / 6);
      picture.push_back(static_cast<float>(gain * value + noise * normal(random)));
    }
  }
  return picture;
}

std::vector<Thumbnail> scenes(int first, int count, double noise = 0, double gain = 1) {
  std::vector<Thumbnail> made;
  for (int i = 0; i < count; ++i) made.push_back(scene(first + i, noise, gain));
  return made;
}

std::vector<std::int64_t> one_to_one(int count) {
  std::vector<std::int64_t> partner;
  for (int i = 0; i < count; ++i) partner.push_back(i);
  return partner;
}

// Memory that is no larger than the picture: a read beyond it is seen by valgrind and ASan.
struct Gray {
  PictureFormat format;
  std::vector<std::byte> memory;

  Gray(int width, int height, int value)
      : format{width, height, ColourModel::kGray, ChromaSubsampling::k444, 8},
        memory(packed_bytes(format), static_cast<std::byte>(value)) {}

  void set_row(int y, int value) {
    const auto at = memory.begin() + std::ptrdiff_t{1} * y * format.width;
    std::fill(at, at + format.width, static_cast<std::byte>(value));
  }

  PictureView view() { return packed_view(format, memory.data()); }
};

TEST(MakeThumbnail, HasAsManyBoxesWhateverTheShape) {
  const std::size_t boxes = make_thumbnail(Gray(48, 36, 1).view()).size();
  for (const auto& [width, height] : {std::pair{48, 20}, {1, 1}, {301, 1}, {1, 77}, {63, 65}}) {
    for (const double share : {1.0, 0.56, 0.0}) {
      const Thumbnail made = make_thumbnail(Gray(width, height, 51).view(), share);
      ASSERT_EQ(made.size(), boxes) << width << 'x' << height;
      for (const float value : made) ASSERT_NEAR(value, 0.2, 1e-6) << width << 'x' << height;
    }
  }
}

TEST(MakeThumbnail, LooksAtTheMiddleWhereItIsToldTo) {
  Gray film(40, 96, 0);  // 54 rows of it are no bars
  for (int y = 21; y < 75; ++y) film.set_row(y, 255);
  for (const float value : make_thumbnail(film.view(), 54.0 / 96)) ASSERT_EQ(value, 1);
  EXPECT_EQ(make_thumbnail(film.view()).front(), 0);
}

TEST(FindShift, RefusesThumbnailsOfOtherSizes) {
  const auto a = scenes(0, 20);
  auto b = scenes(0, 20);
  b[7].pop_back();
  EXPECT_THROW(find_shift(a, b, one_to_one(20), 5), Error);
  EXPECT_THROW(find_shift(b, a, one_to_one(20), 5), Error);
  EXPECT_THROW(find_shift(a, a, one_to_one(19), 5), Error);
}

TEST(FindShift, FindsHowFarAFilmIsAhead) {
  const auto a = scenes(100, 50);
  for (const int shift : {-24, -3, -1, 0, 1, 7, 50}) {
    const auto b = scenes(100 - shift, 101);
    const ShiftFound found = find_shift(a, b, one_to_one(50), 50);
    EXPECT_EQ(found.shift, shift);
    EXPECT_TRUE(found.moves);
  }
}

TEST(FindShift, WhateverBrightnessContrastAndNoise) {
  const auto a = scenes(0, 50, 0.01);
  const auto b = scenes(4, 120, 0.01, 0.6);
  EXPECT_EQ(find_shift(a, b, one_to_one(50), 50).shift, -4);
}

TEST(FindShift, DoesNotGuessWhereNothingMoves) {
  const std::vector<Thumbnail> still(50, scene(3));
  const ShiftFound found = find_shift(still, still, one_to_one(50), 20);
  EXPECT_FALSE(found.shift);
  EXPECT_FALSE(found.moves);
}

TEST(FindShift, DoesNotGuessInMotionThatRepeatsItself) {
  std::vector<Thumbnail> a;
  for (int i = 0; i < 60; ++i) a.push_back(scene(i % 5 * 10));
  const ShiftFound found = find_shift(a, a, one_to_one(60), 20);
  EXPECT_FALSE(found.shift);
  EXPECT_TRUE(found.moves);
}

TEST(FindShift, DoesNotGuessBetweenOtherFilms) {
  std::vector<Thumbnail> b;
  for (int i = 0; i < 150; ++i) b.push_back(scene(-7 * i + 5000));
  EXPECT_FALSE(find_shift(scenes(100, 50), b, one_to_one(50), 50).shift);
}

std::vector<ShiftChange> watch(const std::vector<int>& frames_of_b, double noise = 0.002) {
  ShiftWatch watch;
  for (std::size_t i = 0; i < frames_of_b.size(); ++i) {
    watch.add(scene(static_cast<int>(i)), scene(frames_of_b[i], noise));
  }
  watch.finish();
  return watch.changes();
}

TEST(ShiftWatch, IsQuietWhereNothingIsWrong) {
  std::vector<int> frames;
  for (int i = 0; i < 200; ++i) frames.push_back(i);
  EXPECT_TRUE(watch(frames).empty());
  // A frame that is shown twice in place of the next one, and no shift after it.
  frames[77] = 76;
  EXPECT_TRUE(watch(frames).empty());
}

TEST(ShiftWatch, RefusesThumbnailsOfOtherSizes) {
  ShiftWatch watch;
  watch.add(scene(0), scene(0));
  EXPECT_THROW(watch.add(scene(1), Thumbnail(3)), Error);
  EXPECT_THROW(watch.add(Thumbnail(3), Thumbnail(3)), Error);
}

TEST(ShiftWatch, NamesTheFrameAfterADroppedOne) {
  std::vector<int> frames;
  for (int i = 0; i < 200; ++i) frames.push_back(i < 60 ? i : i + 1);
  const auto changes = watch(frames);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].shift, -1);
  EXPECT_EQ(changes[0].pair, 61);  // of 60 nothing is left in b
}

TEST(ShiftWatch, FollowsSeveralChanges) {
  std::vector<int> frames;
  for (int i = 0; i < 300; ++i) frames.push_back(i < 60 ? i : i < 150 ? i + 2 : i + 1);
  const auto changes = watch(frames);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].shift, -2);
  EXPECT_EQ(changes[0].pair, 62);
  EXPECT_EQ(changes[1].shift, -1);
  EXPECT_NEAR(static_cast<double>(changes[1].pair), 150, 2);
}

TEST(ShiftWatch, SeesAChangeShortlyBeforeTheEnd) {
  std::vector<int> frames;
  for (int i = 0; i < 60; ++i) frames.push_back(i < 52 ? i : i + 1);
  ASSERT_EQ(watch(frames).size(), 1u);
}

TEST(ShiftWatch, IsQuietWhereTheFilmStandsStill) {
  ShiftWatch watch;
  for (int i = 0; i < 100; ++i) watch.add(scene(5), scene(5, 0.002));
  watch.finish();
  EXPECT_TRUE(watch.changes().empty());
}

}  // namespace
}  // namespace vsr::media
