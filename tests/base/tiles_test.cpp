#include "vsr/base/tiles.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vsr {
namespace {

constexpr TileRule kAny{.unit = 1, .least = 64};
constexpr TileRule kFours{.unit = 4, .least = 256};

std::string text(const TileAxis& axis) {
  std::string line = std::to_string(axis.tile()) + ":";
  for (int i = 0; i < axis.count(); ++i) line += " " + std::to_string(axis.begin(i));
  return line;
}

TEST(TileAxis, APictureNoLongerThanATileIsOne) {
  EXPECT_EQ(text(TileAxis(432, 432, 32, kAny)), "432: 0");
  EXPECT_EQ(text(TileAxis(65, 4096, 32, kAny)), "65: 0");
}

TEST(TileAxis, TilesAreNoLongerThanTheirNumberNeeds) {
  EXPECT_EQ(text(TileAxis(1024, 600, 32, kAny)), "528: 0 496");
  EXPECT_EQ(text(TileAxis(1024, 1000, 32, kAny)), "528: 0 496");
  EXPECT_EQ(text(TileAxis(1023, 512, 32, kAny)), "363: 0 330 660");
  EXPECT_EQ(text(TileAxis(1024, 512, 30, kFours)), "364: 0 328 660");
}

TEST(TileAxis, NoTileIsShorterThanTheNetworkTakes) {
  EXPECT_EQ(text(TileAxis(70, 64, 16, kAny)), "64: 0 6");
  EXPECT_EQ(text(TileAxis(300, 256, 32, kFours)), "256: 0 44");
}

TEST(TileAxis, CoversThePictureAndSharesTheOverlap) {
  for (const TileRule& rule : {kAny, kFours}) {
    for (int length = rule.least; length < 9 * rule.least; length += 13 * rule.unit) {
      for (const int longest : {rule.least, rule.least + 27, 3 * rule.least}) {
        for (const int overlap : {0, 1, 8, 31, 48}) {
          const TileAxis axis(length, longest, overlap, rule);
          ASSERT_LE(axis.tile(), longest);
          ASSERT_GE(axis.tile(), rule.least);
          ASSERT_EQ(axis.tile() % rule.unit, 0);
          ASSERT_EQ(axis.begin(0), 0);
          ASSERT_EQ(axis.begin(axis.count() - 1) + axis.tile(), length);
          for (int i = 1; i < axis.count(); ++i) {
            ASSERT_EQ(axis.begin(i) % rule.unit, 0);
            ASSERT_GT(axis.begin(i), axis.begin(i - 1));
            ASSERT_LE(axis.begin(i) + overlap, axis.begin(i - 1) + axis.tile())
                << length << " by " << longest << ", " << overlap;
          }
        }
      }
    }
  }
}

TEST(TileAxis, SharesOfASampleSumUpToOne) {
  for (const int scale : {1, 4}) {
    for (const int length : {64, 65, 127, 500, 1023}) {
      for (const int longest : {64, 100, 333}) {
        for (const int overlap : {0, 7, 32, 60}) {  // at 60 of 64 many tiles have a sample
          const TileAxis axis(length, longest, overlap, kAny);
          std::vector<double> sums(static_cast<std::size_t>(length * scale));
          for (int i = 0; i < axis.count(); ++i) {
            const auto shares = axis.shares(i, scale);
            ASSERT_EQ(shares.size(), static_cast<std::size_t>(axis.tile() * scale));
            for (std::size_t k = 0; k < shares.size(); ++k) {
              ASSERT_GE(shares[k], 0);  // and a number
              sums[static_cast<std::size_t>(axis.begin(i) * scale) + k] +=
                  static_cast<double>(shares[k]);
            }
          }
          for (const double sum : sums) ASSERT_NEAR(sum, 1, 1e-6);
        }
      }
    }
  }
}

TEST(TileAxis, FadesAcrossTheMiddleOfWhatTwoTilesShare) {
  const TileAxis axis(100, 64, 20, kAny);
  EXPECT_EQ(text(axis), "64: 0 36");  // 28 shared, since tiles are not shorter
  const auto left = axis.shares(0, 1);
  const auto right = axis.shares(1, 1);
  EXPECT_EQ(left[0], 1);
  EXPECT_EQ(left[36 + 6], 1);
  EXPECT_EQ(right[6], 0);
  EXPECT_FLOAT_EQ(left[36 + 7], 13.5f / 14);
  EXPECT_FLOAT_EQ(right[7], 0.5f / 14);
  EXPECT_FLOAT_EQ(left[36 + 20], 0.5f / 14);
  EXPECT_EQ(left[36 + 21], 0);
  EXPECT_EQ(right[21], 1);
  EXPECT_EQ(right[63], 1);
}

TEST(TileLength, IsWhatTheAxisComesTo) {
  for (int count = 1; count < 9; ++count) {
    const int tile = tile_length(1920, count, 32, kFours);
    const TileAxis axis(1920, tile, 32, kFours);
    EXPECT_EQ(axis.tile(), tile);
    EXPECT_LE(axis.count(), count);
  }
}

TEST(Tiling, TellsTheWork) {
  const Tiling tiling{TileAxis(1024, 600, 32, kAny), TileAxis(432, 432, 32, kAny)};
  EXPECT_EQ(tiling.count(), 2);
  EXPECT_DOUBLE_EQ(tiling.work(), 2 * 528 / 1024.0);
}

}  // namespace
}  // namespace vsr
