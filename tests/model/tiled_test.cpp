// Pictures in tiles on the reference back end, on the CPU.
#include "upscaler_support.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr::model {
namespace {

using test::Clip;
using test::options_for;
using test::psnr_db;
using test::upscale;

constexpr PictureFormat kPicture{150, 93, ColourModel::kYuv, ChromaSubsampling::k420, 8};

class TiledUpscaler : public ::testing::Test {
 protected:
  test::Pictures made_with(const TileSize& tile, FrameRange emit) {
    UpscalerOptions options = options_for(kPicture);
    options.output_bit_depth = 16;
    options.tile = tile;
    Upscaler upscaler(checkpoint_, options);
    EXPECT_FALSE(upscaler.remembers());
    return upscale(upscaler, clip_, emit);
  }

  const Checkpoint checkpoint_ = Checkpoint::read(vsr::test::source_dir() / "models/mix_c32n3.pth");
  Clip clip_{kPicture, 3};
};

TEST_F(TiledUpscaler, GivesThePictureWithoutSeams) {
  const auto whole = made_with({}, {0, 3});
  EXPECT_EQ(made_with({150, 93, 20}, {0, 3}), whole);
  const auto tiled = made_with({100, 70, 30}, {0, 3});
  EXPECT_GT(psnr_db(tiled, whole), 45);
  EXPECT_NE(tiled, whole);
  EXPECT_EQ(made_with({100, 70, 30}, {1, 2})[0], tiled[1]);
}

TEST(TiledUpscalerOfFullSize, GivesThePictureWithoutSeams) {
  const auto checkpoint = test::checkpoint_or_nothing("c16n2x1_bare.pth");
  if (!checkpoint) GTEST_SKIP() << "no golden data beside the checkout";
  UpscalerOptions options = options_for({421, 262, ColourModel::kYuv, ChromaSubsampling::k420, 8});
  options.output_bit_depth = 16;
  Clip clip(options.input, 2);
  Upscaler whole(*checkpoint, options);
  options.tile = {300, 300, 100};
  Upscaler tiled(*checkpoint, options);
  const auto expected = upscale(whole, clip, {0, 2});
  const auto got = upscale(tiled, clip, {0, 2});
  EXPECT_GT(psnr_db(got, expected), 55);
  EXPECT_NE(got, expected);
}

TEST_F(TiledUpscaler, TilesTooSmallForTheNetworkAreAnError) {
  UpscalerOptions options = options_for(kPicture);
  options.tile = {63, 80, 10};
  EXPECT_THROW(Upscaler(checkpoint_, options), Error);
}

TEST(WindowBytes, TilesTakeLessThanWholePictures) {
  const NetworkShape shape{true, 64, 7};
  UpscalerOptions options = options_for({1920, 1080});
  const auto bytes = [&] { return Upscaler::window_bytes(shape, options, 50); };
  const auto whole = bytes();
  options.tile = {4000, 4000, 32};
  EXPECT_EQ(bytes(), whole);
  options.tile = {640, 540, 32};
  EXPECT_LT(bytes(), whole / 2);
}

}  // namespace
}  // namespace vsr::model
