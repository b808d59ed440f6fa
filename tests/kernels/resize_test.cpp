#include "vsr/kernels/resize.hpp"

#include "sampling_reference.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace vsr::kernels {
namespace {

std::vector<float> resize(const ResizeShape& shape, ResizeGrid grid, const std::vector<float>& in) {
  std::vector<float> out(
      static_cast<std::size_t>(shape.batch * shape.out_height * shape.out_width * shape.channels));
  resize_rows(shape, grid, in.data(), out.data(), 0, shape.batch * shape.out_height);
  return out;
}

// A plane v = x + 10 y is reproduced exactly by bilinear interpolation, away from the edges.
TEST(Resize, ReproducesAPlane) {
  for (const int channels : {1, 2, 3, 5}) {
    const ResizeShape shape{1, 7, 9, channels, 13, 31};
    std::vector<float> in;
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        for (int c = 0; c < channels; ++c) in.push_back(static_cast<float>(x + 10 * y + 100 * c));
      }
    }
    for (const ResizeGrid grid : {ResizeGrid::kHalfPixel, ResizeGrid::kCorners}) {
      const auto out = resize(shape, grid, in);
      std::size_t next = 0;
      for (int y = 0; y < shape.out_height; ++y) {
        for (int x = 0; x < shape.out_width; ++x) {
          const bool half = grid == ResizeGrid::kHalfPixel;
          const double sy = half ? (y + 0.5) * 7 / 13 - 0.5 : y * 6.0 / 12;
          const double sx = half ? (x + 0.5) * 9 / 31 - 0.5 : x * 8.0 / 30;
          for (int c = 0; c < channels; ++c) {
            const double expected =
                std::clamp(sx, 0.0, 8.0) + 10 * std::clamp(sy, 0.0, 6.0) + 100 * c;
            ASSERT_NEAR(static_cast<double>(out[next++]), expected, 1e-4) << x << ", " << y;
          }
        }
      }
    }
  }
}

TEST(Resize, SameSizeIsTheIdentity) {
  const ResizeShape shape{2, 5, 6, 3, 5, 6};
  const auto in = test::random_values(2 * 5 * 6 * 3, -1, 1, 1);
  EXPECT_EQ(resize(shape, ResizeGrid::kHalfPixel, in), in);
  EXPECT_EQ(resize(shape, ResizeGrid::kCorners, in), in);
}

TEST(Resize, SharedOutRowsGiveTheSameBits) {
  const ResizeShape shape{3, 11, 7, 2, 23, 15};
  const auto in = test::random_values(3 * 11 * 7 * 2, -1, 1, 2);
  const auto whole = resize(shape, ResizeGrid::kHalfPixel, in);
  std::vector<float> parts(whole.size());
  for (int row = 0; row < 3 * 23; row += 5) {
    resize_rows(
        shape, ResizeGrid::kHalfPixel, in.data(), parts.data(), row, std::min(row + 5, 3 * 23));
  }
  EXPECT_EQ(parts, whole);
}

TEST(Resize, OnePixelFillsEverything) {
  const ResizeShape shape{1, 1, 1, 2, 4, 3};
  for (const ResizeGrid grid : {ResizeGrid::kHalfPixel, ResizeGrid::kCorners}) {
    const auto out = resize(shape, grid, {3.0f, 4.0f});
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], i % 2 == 0 ? 3.0f : 4.0f);
  }
}

}  // namespace
}  // namespace vsr::kernels
