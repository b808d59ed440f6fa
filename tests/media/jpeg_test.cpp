#include "vsr/media/jpeg.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace vsr::media {
namespace {

constexpr std::size_t kAnySize = 1 << 20;

PictureFormat rgb(int width, int height) {
  return {width, height, ColourModel::kRgb, ChromaSubsampling::k444, 8};
}

// R, G, B of each pixel, row by row, as another program decodes it.
std::string decoded(const std::string& jpeg) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "picture.jpg";
  const auto raw = folder.path() / "picture.rgb";
  std::ofstream(path, std::ios::binary) << jpeg;
  const auto result = test::run_process({"ffmpeg",
                                         "-v",
                                         "error",
                                         "-i",
                                         path.string(),
                                         "-pix_fmt",
                                         "rgb24",
                                         "-f",
                                         "rawvideo",
                                         raw.string()});
  EXPECT_EQ(result.status, 0) << result.output;
  std::ifstream file(raw, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Jpeg, ColoursComeBack) {
  constexpr int kPatch = 32;
  const std::vector<std::array<int, 3>> colours{
      {255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {0, 0, 0}, {255, 255, 255}, {200, 120, 40}};
  const PictureFormat format = rgb(kPatch * static_cast<int>(colours.size()), kPatch);
  std::vector<std::byte> memory(packed_bytes(format));
  const MutablePictureView view = packed_view(format, memory.data());
  for (int y = 0; y < format.height; ++y) {
    for (int x = 0; x < format.width; ++x) {
      for (std::size_t plane = 0; plane < 3; ++plane) {
        view.planes[plane][y * view.pitch_bytes[plane] + x] =
            static_cast<std::byte>(colours[static_cast<std::size_t>(x / kPatch)][plane]);
      }
    }
  }
  const std::string pixels = decoded(encode_jpeg(view, kAnySize));
  ASSERT_EQ(pixels.size(), packed_bytes(format));
  for (std::size_t i = 0; i < colours.size(); ++i) {
    const std::size_t middle =
        (static_cast<std::size_t>(kPatch / 2 * format.width) + i * kPatch + kPatch / 2) * 3;
    for (std::size_t plane = 0; plane < 3; ++plane) {
      EXPECT_NEAR(static_cast<std::uint8_t>(pixels[middle + plane]), colours[i][plane], 4)
          << "patch " << i << ", plane " << plane;
    }
  }
}

TEST(Jpeg, OddSizesAndALimitInBytes) {
  const PictureFormat format = rgb(321, 177);
  std::vector<std::byte> memory(packed_bytes(format));
  std::mt19937 random(1);
  for (std::byte& value : memory) value = static_cast<std::byte>(random() % 256);
  const PictureView noise = packed_view(format, memory.data());
  const std::string good = encode_jpeg(noise, kAnySize);
  EXPECT_EQ(decoded(good).size(), packed_bytes(format));
  const std::string smaller = encode_jpeg(noise, good.size() * 9 / 10);
  EXPECT_LE(smaller.size(), good.size() * 9 / 10);
  EXPECT_EQ(decoded(smaller).size(), packed_bytes(format));
  EXPECT_FALSE(encode_jpeg(noise, 10).empty());  // as it comes where nothing fits
}

TEST(Jpeg, OfRgbOfEightBitsOnly) {
  std::vector<std::byte> memory(1000);
  EXPECT_THROW(encode_jpeg(packed_view(PictureFormat{16, 16}, memory.data()), kAnySize), Error);
}

}  // namespace
}  // namespace vsr::media
