#include "vsr/base/luma_samples.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace vsr {
namespace {

// A picture whose first sampled plane `value(x, y)` makes; the others are 0.
template <typename Value>
LumaSamples samples_of(const PictureFormat& format, const Value& value, std::size_t plane = 0) {
  std::vector<std::byte> memory(packed_bytes(format));
  const MutablePictureView view = packed_view(format, memory.data());
  for (int y = 0; y < format.height; ++y) {
    std::byte* row = view.planes[plane] + y * view.pitch_bytes[plane];
    for (int x = 0; x < format.width; ++x) {
      if (format.bit_depth > 8) {
        reinterpret_cast<std::uint16_t*>(row)[x] = static_cast<std::uint16_t>(value(x, y));
      } else {
        row[x] = static_cast<std::byte>(value(x, y));
      }
    }
  }
  return sample_luma(view);
}

constexpr PictureFormat kWide{1000, 400, ColourModel::kYuv, ChromaSubsampling::k422, 10};

TEST(LumaSamples, OneLiesInEachCell) {
  const auto columns = samples_of(kWide, [](int x, int) { return x; });
  const auto rows = samples_of(kWide, [](int, int y) { return y; });
  ASSERT_EQ(columns.width, kSamplesAcross);
  ASSERT_EQ(columns.height, 51);
  ASSERT_EQ(columns.values.size(), 128u * 51);
  for (int row = 0; row < 51; ++row) {
    for (int column = 0; column < 128; ++column) {
      const auto i = static_cast<std::size_t>(row) * 128 + static_cast<std::size_t>(column);
      ASSERT_GE(columns.values[i], column * 1000 / 128);
      ASSERT_LT(columns.values[i], (column + 1) * 1000 / 128);
      ASSERT_GE(rows.values[i], row * 400 / 51);
      ASSERT_LT(rows.values[i], (row + 1) * 400 / 51);
    }
  }
}

TEST(LumaSamples, OfAPictureSmallerThanTheLatticeAreThePicture) {
  const PictureFormat small{60, 100, ColourModel::kGray, ChromaSubsampling::k444, 8};
  const auto samples = samples_of(small, [](int x, int y) { return (x + 3 * y) % 251; });
  ASSERT_EQ(samples.width, 60);
  ASSERT_EQ(samples.height, 100);
  for (int y = 0; y < 100; ++y) {
    for (int x = 0; x < 60; ++x) {
      ASSERT_EQ(samples.values[static_cast<std::size_t>(y) * 60 + static_cast<std::size_t>(x)],
                (x + 3 * y) % 251);
    }
  }
}

TEST(LumaSamples, OfAPictureOfOneRowAreOneRow) {
  const PictureFormat line{500, 1, ColourModel::kGray, ChromaSubsampling::k444, 8};
  EXPECT_EQ(samples_of(line, [](int, int) { return 7; }).height, 1);
}

TEST(LumaSamples, OfRgbAreTheGreen) {
  const PictureFormat rgb{300, 200, ColourModel::kRgb, ChromaSubsampling::k444, 16};
  const auto samples = samples_of(
      rgb, [](int, int) { return 40'000; }, 1);
  EXPECT_TRUE(std::ranges::all_of(samples.values, [](auto value) { return value == 40'000; }));
  EXPECT_EQ(samples.bit_depth, 16);
}

// What they are for: the difference of two pictures as the whole of them has it.
TEST(LumaSamples, TellHowFarWholePicturesAreApart) {
  std::mt19937 random(1);
  std::normal_distribution<double> detail(0, 40);
  std::normal_distribution<double> error(0, 6);
  std::vector<int> one;
  std::vector<int> other;
  double sum = 0;
  for (int i = 0; i < kWide.width * kWide.height; ++i) {
    one.push_back(500 + static_cast<int>(detail(random)));
    // More of it to the right, as errors are in some places more than in others.
    other.push_back(one.back() + static_cast<int>(error(random) * (i % kWide.width) / 500));
    sum += std::pow(one.back() - other.back(), 2);
  }
  const auto of = [](const std::vector<int>& values) {
    return samples_of(kWide, [&](int x, int y) {
      return values[static_cast<std::size_t>(y) * kWide.width + static_cast<std::size_t>(x)];
    });
  };
  const double whole = psnr_db(sum / static_cast<double>(one.size()) / (1023.0 * 1023.0));
  EXPECT_NEAR(psnr_db(mean_square_difference(of(one), of(other))), whole, 0.4);
}

TEST(LumaSamples, PsnrIsOfFullScaleWhateverTheDepth) {
  for (const int depth : {8, 10, 16}) {
    PictureFormat format = kWide;
    format.bit_depth = depth;
    const int full = (1 << depth) - 1;
    const auto black = samples_of(format, [](int, int) { return 0; });
    const auto white = samples_of(format, [&](int, int) { return full; });
    EXPECT_NEAR(psnr_db(mean_square_difference(black, white)), 0, 1e-9);
    EXPECT_EQ(psnr_db(mean_square_difference(white, white)), 99);
  }
  EXPECT_NEAR(psnr_db(1e-4), 40, 1e-9);
}

TEST(LumaSamples, OfOtherPicturesAreNotCompared) {
  PictureFormat other = kWide;
  other.height = 300;
  const auto zero = [](int, int) { return 0; };
  EXPECT_THROW(mean_square_difference(samples_of(kWide, zero), samples_of(other, zero)), Error);
  EXPECT_THROW(mean_square_difference({}, {}), Error);
}

}  // namespace
}  // namespace vsr
