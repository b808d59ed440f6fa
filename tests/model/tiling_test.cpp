#include "vsr/model/tiling.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace vsr::model {
namespace {

constexpr NetworkShape kX4{.low_res_input = true, .mid_channels = 64, .num_blocks = 7};
constexpr NetworkShape kX1{.low_res_input = false, .mid_channels = 64, .num_blocks = 7};

PictureFormat picture(int width, int height) { return {width, height}; }

TEST(Tiling, OfAWholePictureIsWhatTheNetworkSees) {
  for (const TileSize& tile : {TileSize{}, TileSize{2000, 2000, 32}}) {
    const Tiling small = tiling_of(kX4, picture(37, 700), tile);
    EXPECT_EQ(small.count(), 1);
    EXPECT_EQ(small.across.tile(), 64);
    EXPECT_EQ(small.down.tile(), 700);
    const Tiling full = tiling_of(kX1, picture(1023, 37), tile);
    EXPECT_EQ(full.count(), 1);
    EXPECT_EQ(full.across.tile(), 1024);
    EXPECT_EQ(full.down.tile(), 256);
  }
}

TEST(Tiling, OfFullSizePicturesLiesOnTheirFeatures) {
  const Tiling tiling = tiling_of(kX1, picture(1918, 1078), {700, 600, 30});
  for (const TileAxis* axis : {&tiling.across, &tiling.down}) {
    EXPECT_GT(axis->count(), 1);
    EXPECT_EQ(axis->tile() % 4, 0);
    for (int i = 0; i < axis->count(); ++i) EXPECT_EQ(axis->begin(i) % 4, 0);
  }
}

TEST(Tiling, TilesTooSmallForTheNetworkAreRefused) {
  EXPECT_NO_THROW(tiling_of(kX4, picture(1024, 432), {64, 64, 16}));
  EXPECT_THROW(tiling_of(kX1, picture(1024, 432), {512, 128, 16}), Error);
  EXPECT_THROW(tiling_of(kX4, picture(1024, 432), {128, 128, 128}), Error);
}

TEST(TileSizes, OneForEachNumberOfColumnsAndRows) {
  std::set<int> columns;
  for (const TileSize& size : tile_sizes(kX4, picture(1024, 432), 32)) {
    const Tiling tiling = tiling_of(kX4, picture(1024, 432), size);
    EXPECT_GT(tiling.count(), 1);
    EXPECT_EQ(tiling.across.tile(), size.width);
    EXPECT_EQ(tiling.down.tile(), size.height);
    EXPECT_GE(size.width, 128);
    EXPECT_GE(size.height, 128);
    columns.insert(tiling.across.count());
  }
  EXPECT_EQ(columns.size(), 10u);
  EXPECT_TRUE(tile_sizes(kX4, picture(64, 64), 0).empty());
}

}  // namespace
}  // namespace vsr::model
