#include "seam_errors.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace vsr::bench {
namespace {

constexpr int kScale = 2;
constexpr int kLong = 96;
constexpr int kShort = 64;
constexpr TileRule kRule{.unit = 1, .least = 64};

// Two tiles that share 32 pixels, so that their middle is the picture's.
TileAxis in_two() { return {kLong, 64, 32, kRule}; }

TileAxis in_one() { return {kShort, kShort, 0, kRule}; }

Tiling side_by_side() { return {in_two(), in_one()}; }

Tiling one_above_the_other() { return {in_one(), in_two()}; }

// With 0.5 + `behind` from the sample of the picture's middle on, along the axis that has two
// tiles.
Picture picture_of(const Tiling& tiling, float before, float behind) {
  const int width = tiling.across.length() * kScale;
  const int height = tiling.down.length() * kScale;
  Picture picture;
  for (int plane = 0; plane < 3; ++plane) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const bool is_behind = tiling.across.count() > 1 ? x >= width / 2 : y >= height / 2;
        picture.push_back(0.5f + (is_behind ? behind : before));
      }
    }
  }
  return picture;
}

void expect_db(const SquaredErrors& errors, double db) {
  const std::optional<double> got = errors.psnr_db();
  ASSERT_TRUE(got.has_value());
  EXPECT_NEAR(*got, db, 0.01);
}

TEST(SeamErrors, OfOneSizeEverywhereHaveNoStep) {
  const Tiling tiling = side_by_side();
  const auto errors =
      seam_errors({picture_of(tiling, 0.1f, 0.1f)}, {picture_of(tiling, 0, 0)}, tiling, kScale);
  expect_db(errors.all, 20);
  expect_db(errors.worst_frame, 20);
  expect_db(errors.seam, 20);
  EXPECT_FALSE(errors.step.psnr_db().has_value());
}

// Half of the samples, half of those beside the seam, and all of the step.
TEST(SeamErrors, OfOneTileAreAStep) {
  for (const Tiling& tiling : {side_by_side(), one_above_the_other()}) {
    const auto errors =
        seam_errors({picture_of(tiling, 0, 0.1f)}, {picture_of(tiling, 0, 0)}, tiling, kScale);
    expect_db(errors.all, 23.01);
    expect_db(errors.seam, 23.01);
    expect_db(errors.step, 20);
    EXPECT_EQ(errors.all.count, 3 * kLong * kShort * kScale * kScale);
    EXPECT_EQ(errors.seam.count, 3 * 8 * kShort * kScale * kScale);
    EXPECT_EQ(errors.step.count, 3 * kShort * kScale);
  }
}

TEST(SeamErrors, TellTheWorstFrame) {
  const Tiling tiling = side_by_side();
  const Picture whole = picture_of(tiling, 0, 0);
  const auto errors = seam_errors(
      {whole, picture_of(tiling, 0.1f, 0.1f), whole, whole}, {4, whole}, tiling, kScale);
  expect_db(errors.all, 26.02);
  expect_db(errors.worst_frame, 20);
}

// What the network's pictures have beyond 0..1 nobody sees.
TEST(SeamErrors, AreNoneBeyondTheRange) {
  const Tiling tiling = side_by_side();
  const auto errors = seam_errors(
      {picture_of(tiling, 0.5f, -0.5f)}, {picture_of(tiling, 0.7f, -0.8f)}, tiling, kScale);
  EXPECT_FALSE(errors.all.psnr_db().has_value());
}

}  // namespace
}  // namespace vsr::bench
