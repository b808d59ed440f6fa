// Pictures in tiles on a GPU, fused and reference back end. Skips where there is no GPU.
#include "upscaler_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

namespace vsr::model {
namespace {

using test::Clip;
using test::Collector;
using test::options_for;
using test::psnr_db;
using test::upload_all;
using test::upscale;

constexpr PictureFormat kPicture{301, 187, ColourModel::kYuv, ChromaSubsampling::k420, 8};
constexpr TileSize kTiles{160, 120, 32};

class TiledOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  }

  UpscalerOptions options(Precision precision, const TileSize& tile) const {
    UpscalerOptions made = options_for(kPicture, {.cuda = true, .index = 0});
    made.precision = precision;
    made.output_bit_depth = 16;
    made.tile = tile;
    return made;
  }

  const Checkpoint checkpoint_ = Checkpoint::read(vsr::test::source_dir() / "models/mix_c32n3.pth");
  Clip clip_{kPicture, 6};
};

TEST_F(TiledOnGpu, GivesThePictureWithoutSeams) {
  for (const Precision precision : {Precision::kFp16, Precision::kBf16, Precision::kFp32}) {
    Upscaler whole(checkpoint_, options(precision, {}));
    Upscaler tiled(checkpoint_, options(precision, kTiles));
    EXPECT_FALSE(tiled.remembers());
    const auto expected = upscale(whole, clip_, {0, 6});
    EXPECT_GT(psnr_db(upscale(tiled, clip_, {0, 6}), expected), 45) << to_string(precision);
  }
}

TEST_F(TiledOnGpu, WindowsOfAnyLengthFollowEachOther) {
  Upscaler tiled(checkpoint_, options(Precision::kFp16, kTiles));
  const auto all = upscale(tiled, clip_, {0, 6});
  const auto frames = upload_all(tiled, clip_);
  Collector sink(tiled.output_format());
  tiled.run(frames, {2, 5}, sink);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sink.pictures[i], all[i + 2]) << i;
  Collector shorter(tiled.output_format());
  tiled.run(std::span(frames).first(3), {0, 3}, shorter);
  EXPECT_GT(psnr_db({shorter.pictures[0]}, {all[0]}), 40);
  EXPECT_EQ(upscale(tiled, clip_, {0, 6}), all);
}

TEST_F(TiledOnGpu, TilesNoSmallerThanThePictureAreThePicture) {
  Upscaler whole(checkpoint_, options(Precision::kFp16, {}));
  Upscaler tiled(checkpoint_, options(Precision::kFp16, {320, 200, 32}));
  EXPECT_TRUE(tiled.remembers());
  EXPECT_EQ(upscale(tiled, clip_, {0, 6}), upscale(whole, clip_, {0, 6}));
}

TEST_F(TiledOnGpu, FeaturesInHostMemoryGiveTheSamePicture) {
  for (const TileSize& tile : {TileSize{}, kTiles}) {
    UpscalerOptions made = options(Precision::kFp16, tile);
    Upscaler on_device(checkpoint_, made);
    made.host_features = true;
    Upscaler on_host(checkpoint_, made);
    EXPECT_EQ(on_host.remembers(), tile.whole());
    EXPECT_EQ(upscale(on_host, clip_, {0, 6}), upscale(on_device, clip_, {0, 6}));
  }
}

TEST_F(TiledOnGpu, TheReferenceBackEndKeepsNoFeaturesInHostMemory) {
  UpscalerOptions made = options(Precision::kFp32, {});
  made.host_features = true;
  try {
    const Upscaler upscaler(checkpoint_, made);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
  }
}

TEST_F(TiledOnGpu, OutOfMemoryLeavesItUsable) {
  UpscalerOptions made = options(Precision::kFp16, kTiles);
  const auto by_frame = Upscaler::window_bytes(checkpoint_.shape(), made, 2) -
                        Upscaler::window_bytes(checkpoint_.shape(), made, 1);
  // What the pictures take still fits, what the engine takes beside them does not.
  made.window_frames = static_cast<int>(gpu::memory_info(0).free_bytes / by_frame);
  Upscaler upscaler(checkpoint_, made);
  const auto frames = upload_all(upscaler, clip_);
  Collector sink(upscaler.output_format());
  EXPECT_THROW(upscaler.run(frames, {0, 6}, sink), OutOfMemory);
  EXPECT_TRUE(sink.pictures.empty());
  upscaler.run(frames, {0, 6}, sink);
  EXPECT_EQ(sink.pictures.size(), 6u);
}

}  // namespace
}  // namespace vsr::model
