// The network's end in one kernel against two plain convolutions in double precision, the rounding
// between them included.
#include "vsr/kernels/conv_picture.hpp"

#include "cases.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::at;
using test::kStream;
using test::OnDevice;
using test::random_values;
using test::rounded;
using test::to_size;

constexpr int kChannels = kPictureConvChannels;
constexpr float kSlope = 0.1f;

struct Case {
  std::string name;
  int height = 0;
  int width = 0;
  int scale = 1;
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

// 3x3 with zeros outside: [height][width][kChannels] to [height][width][outputs].
std::vector<double> convolved(const std::vector<float>& map,
                              const Case& given,
                              int outputs,
                              const std::vector<float>& weights,
                              const std::vector<float>& bias) {
  std::vector<double> sums(to_size(std::int64_t{given.height} * given.width * outputs));
  for (int y = 0; y < given.height; ++y) {
    for (int x = 0; x < given.width; ++x) {
      for (int n = 0; n < outputs; ++n) {
        double sum = at(bias, n);
        for (int tap = 0; tap < 9; ++tap) {
          const int from_y = y + tap / 3 - 1;
          const int from_x = x + tap % 3 - 1;
          if (from_y < 0 || from_y >= given.height || from_x < 0 || from_x >= given.width) continue;
          for (int c = 0; c < kChannels; ++c) {
            sum += at(map, (std::int64_t{from_y} * given.width + from_x) * kChannels + c) *
                   at(weights, (std::int64_t{n} * kChannels + c) * 9 + tap);
          }
        }
        sums[to_size((std::int64_t{y} * given.width + x) * outputs + n)] = sum;
      }
    }
  }
  return sums;
}

// Bilinear with half-pixel centres, edges repeated.
double enlarged(const std::vector<float>& base, const Case& given, int colour, int y, int x) {
  const int height = given.height / given.scale;
  const int width = given.width / given.scale;
  const double at_y = std::max((y + 0.5) / given.scale - 0.5, 0.0);
  const double at_x = std::max((x + 0.5) / given.scale - 0.5, 0.0);
  const int y0 = static_cast<int>(at_y);
  const int x0 = static_cast<int>(at_x);
  const auto of = [&](int row, int column) {
    return at(base,
              (std::int64_t{colour} * height + std::min(row, height - 1)) * width +
                  std::min(column, width - 1));
  };
  const double top = of(y0, x0) + (at_x - x0) * (of(y0, x0 + 1) - of(y0, x0));
  const double bottom = of(y0 + 1, x0) + (at_x - x0) * (of(y0 + 1, x0 + 1) - of(y0 + 1, x0));
  return top + (at_y - y0) * (bottom - top);
}

class PictureConv : public testing::TestWithParam<Case> {};

TEST_P(PictureConv, IsTwoConvolutionsAndTheFrame) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  if (!has_picture_conv(0)) GTEST_SKIP() << gpu::device_info(0).name << " is no Hopper";
  const Case& given = GetParam();
  const std::int64_t pixels = std::int64_t{given.height} * given.width;
  const float range = 1.0f / std::sqrt(9.0f * kChannels);
  const auto map = rounded(random_values(to_size(pixels * kChannels), -1, 1, 1), given.type);
  const auto weights1 =
      rounded(random_values(to_size(kChannels * kChannels * 9), -range, range, 2), given.type);
  const auto weights2 =
      rounded(random_values(to_size(3 * kChannels * 9), -range, range, 3), given.type);
  // Far from zero: what lies outside the picture counts as zero, not as the bias.
  const auto bias1 = random_values(kChannels, 1, 2, 4);
  const auto bias2 = random_values(3, -1, 1, 5);
  const auto base = random_values(to_size(3 * pixels / given.scale / given.scale), 0, 1, 6);

  constexpr std::int64_t kBeyond = 256;  // values after the picture, which must stay
  OnDevice out(std::vector<float>(to_size(3 * pixels + kBeyond), -99.0f), ElementType::kFloat);
  OnDevice source(map, given.type);
  OnDevice packed1(pack_rows_conv({kChannels, kChannels, weights1}, 0, kChannels), given.type);
  OnDevice packed2(pack_picture_conv(weights2), given.type);
  OnDevice bias1_memory(bias1, ElementType::kFloat);
  OnDevice bias2_memory(bias2, ElementType::kFloat);
  OnDevice base_memory(base, ElementType::kFloat);
  launch_picture_conv({.height = given.height,
                       .width = given.width,
                       .source = source.data(),
                       .weights1 = packed1.data(),
                       .bias1 = bias1_memory.floats(),
                       .slope = kSlope,
                       .weights2 = packed2.data(),
                       .bias2 = bias2_memory.floats(),
                       .base = base_memory.floats(),
                       .scale = given.scale,
                       .out = static_cast<float*>(out.data())},
                      given.type,
                      kStream);
  const auto got = out.values(ElementType::kFloat);

  std::vector<float> between;
  for (const double sum : convolved(map, given, kChannels, weights1, bias1)) {
    between.push_back(static_cast<float>(sum > 0 ? sum : sum * static_cast<double>(kSlope)));
  }
  const auto sums = convolved(rounded(between, given.type), given, 3, weights2, bias2);
  // Sums in fp32 may round to the neighbour of what sums in double do.
  const double tolerance = given.type == ElementType::kHalf ? 3e-4 : 2.4e-3;
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < given.height; ++y) {
      for (int x = 0; x < given.width; ++x) {
        const std::int64_t pixel = std::int64_t{y} * given.width + x;
        ASSERT_NEAR(at(got, c * pixels + pixel),
                    sums[to_size(pixel * 3 + c)] + enlarged(base, given, c, y, x),
                    tolerance)
            << "colour " << c << " row " << y << " column " << x;
      }
    }
  }
  for (std::int64_t i = 3 * pixels; i < 3 * pixels + kBeyond; ++i) {
    ASSERT_EQ(got[to_size(i)], -99.0f) << i - 3 * pixels << " values after the picture";
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels,
                         PictureConv,
                         testing::Values(Case{"OnePixel", 1, 1},
                                         Case{"OneRow", 1, 300},
                                         Case{"OneColumn", 300, 1},
                                         Case{"Times4", 12, 20, 4},
                                         Case{"OneStrip", 9, 126},
                                         Case{"StripAndOne", 5, 127},
                                         Case{"RowsLikeAMap", 4, 128, 4},
                                         Case{"ThreeStrips", 7, 259},
                                         Case{"ManyRows", 520, 4, 4},
                                         Case{"Bfloat16", 8, 132, 4, ElementType::kBfloat16}),
                         test::name_of<Case>);

}  // namespace
}  // namespace vsr::kernels
