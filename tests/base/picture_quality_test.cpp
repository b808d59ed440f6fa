#include "vsr/base/picture_quality.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace vsr {
namespace {

using SampleAt = std::function<int(int plane, int x, int y)>;

// A picture with rows longer than they need be.
struct Picture {
  PictureFormat format;
  std::vector<std::vector<std::byte>> planes;
  PictureView view;

  Picture(const PictureFormat& shape, const SampleAt& sample) : format(shape) {
    view.format = format;
    for (int p = 0; p < plane_count(format); ++p) {
      const int bytes = bytes_per_sample(format);
      const std::ptrdiff_t pitch = std::ptrdiff_t{1} * plane_width(format, p) * bytes + 6;
      auto& plane = planes.emplace_back(static_cast<std::size_t>(pitch * plane_height(format, p)),
                                        std::byte{0x5a});
      for (int y = 0; y < plane_height(format, p); ++y) {
        for (int x = 0; x < plane_width(format, p); ++x) {
          std::byte* at = plane.data() + y * pitch + std::ptrdiff_t{1} * x * bytes;
          if (bytes == 1) {
            *at = static_cast<std::byte>(sample(p, x, y));
          } else {
            *reinterpret_cast<std::uint16_t*>(at) = static_cast<std::uint16_t>(sample(p, x, y));
          }
        }
      }
    }
    for (std::size_t p = 0; p < planes.size(); ++p) {
      view.planes[p] = planes[p].data();
      view.pitch_bytes[p] =
          std::ptrdiff_t{1} * plane_width(format, static_cast<int>(p)) * bytes_per_sample(format) +
          6;
    }
  }
};

PictureFormat yuv420(int width, int height, int bit_depth) {
  return {width, height, ColourModel::kYuv, ChromaSubsampling::k420, bit_depth};
}

int pattern(int plane, int x, int y) { return 40 + (x * 7 + y * 13 + plane * 5) % 150; }

TEST(PictureQuality, OfAPictureAndItself) {
  for (const int depth : {8, 10, 16}) {
    const Picture picture(yuv420(37, 29, depth), pattern);
    const PictureQuality quality = compare_pictures(picture.view, picture.view);
    for (const PlaneQuality& plane : quality.planes) {
      EXPECT_EQ(plane.mean_square, 0) << depth;
      EXPECT_DOUBLE_EQ(plane.ssim.value_or(0), 1) << depth;
    }
    EXPECT_TRUE(std::isinf(psnr_of(mean_square_of_all(quality, picture.format), depth)));
    EXPECT_DOUBLE_EQ(ssim_of_all(quality, picture.format).value_or(0), 1);
  }
}

TEST(PictureQuality, CountsEverySampleOnce) {
  // A different sample in each corner, and so in what is left over beside whole blocks.
  const PictureFormat format = yuv420(39, 27, 10);
  const Picture picture(format, pattern);
  const Picture other(format, [&](int plane, int x, int y) {
    const bool corner = (x == 0 || x == plane_width(format, plane) - 1) &&
                        (y == 0 || y == plane_height(format, plane) - 1);
    return pattern(plane, x, y) + (corner ? 3 : 0);
  });
  const PictureQuality quality = compare_pictures(picture.view, other.view);
  EXPECT_NEAR(quality.planes[0].mean_square, 4 * 9.0 / (39 * 27), 1e-12);
  EXPECT_NEAR(quality.planes[1].mean_square, 4 * 9.0 / (20 * 14), 1e-12);
  EXPECT_NEAR(mean_square_of_all(quality, format), 3 * 4 * 9.0 / (39 * 27 + 2 * 20 * 14), 1e-12);
}

TEST(PictureQuality, HoldsTheLargestDifference) {
  for (const int depth : {8, 10, 12, 13, 14, 16}) {
    const int most = (1 << depth) - 1;
    const Picture black(yuv420(64, 64, depth), [](int, int, int) { return 0; });
    const Picture white(yuv420(64, 64, depth), [&](int, int, int) { return most; });
    const PictureQuality quality = compare_pictures(black.view, white.view);
    EXPECT_DOUBLE_EQ(quality.planes[0].mean_square, double{1} * most * most) << depth;
    EXPECT_NEAR(psnr_of(quality.planes[0].mean_square, depth), 0, 1e-9) << depth;
    EXPECT_NEAR(quality.planes[0].ssim.value_or(1), 0.0001, 0.0001) << depth;
  }
}

// Flat squares: SSIM is that of their means alone.
TEST(PictureQuality, OfFlatPicturesIsKnown) {
  const Picture a(yuv420(32, 32, 8), [](int, int, int) { return 100; });
  const Picture b(yuv420(32, 32, 8), [](int, int, int) { return 120; });
  const double c1 = 0.01 * 0.01 * 255 * 255;
  const double expected = (2 * 100 * 120 + c1) / (100 * 100 + 120 * 120 + c1);
  EXPECT_NEAR(compare_pictures(a.view, b.view).planes[0].ssim.value_or(0), expected, 1e-5);
}

TEST(PictureQuality, SmallPlanesHaveNoSsim) {
  const Picture picture(yuv420(8, 8, 8), pattern);
  const PictureQuality quality = compare_pictures(picture.view, picture.view);
  EXPECT_TRUE(quality.planes[0].ssim);
  EXPECT_FALSE(quality.planes[1].ssim);
  EXPECT_FALSE(ssim_of_all(quality, picture.format));
}

TEST(PictureQuality, RefusesOtherFormats) {
  const Picture one(yuv420(16, 16, 8), pattern);
  const Picture other(yuv420(16, 16, 10), pattern);
  EXPECT_THROW(compare_pictures(one.view, other.view), Error);
}

}  // namespace
}  // namespace vsr
