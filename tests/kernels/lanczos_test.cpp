// Lanczos scaling: its tables, and the kernel against them in double precision; on a GPU, or with
// the device code emulated on the CPU.
#include "vsr/kernels/lanczos.hpp"

#include "axis_on_device.hpp"
#include "picture_memory.hpp"
#include "vsr/base/error.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#endif

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace vsr::kernels {
namespace {

using test::AxisOnDevice;
using test::kStream;
using test::random_rgb;
using test::Rgb;
using test::RgbOnDevice;

TEST(LanczosTable, WeightsSumToOneWithinTheInput) {
  for (const int in : {1, 2, 3, 7, 64, 100, 1728}) {
    for (const int out : {1, 2, 5, 64, 83, 100, 1440, 3456}) {
      const AxisTable table = make_lanczos_table(in, out);
      ASSERT_EQ(table.first.size(), static_cast<std::size_t>(out));
      ASSERT_EQ(table.weights.size(), table.first.size() * static_cast<std::size_t>(table.taps));
      EXPECT_TRUE(std::is_sorted(table.first.begin(), table.first.end()));
      EXPECT_GE(table.first.front(), 0);
      EXPECT_LE(table.first.back() + table.taps, in);
      for (int i = 0; i < out; ++i) {
        double sum = 0;
        for (int tap = 0; tap < table.taps; ++tap) {
          sum += static_cast<double>(table.weights[static_cast<std::size_t>(i * table.taps + tap)]);
        }
        EXPECT_NEAR(sum, 1, 1e-6) << in << " to " << out << ", sample " << i;
      }
    }
  }
}

TEST(LanczosTable, NumberOfTapsIsTheKernelsWidth) {
  EXPECT_EQ(make_lanczos_table(4096, 3414).taps, 8);
  EXPECT_EQ(make_lanczos_table(1728, 1440).taps, 8);
  EXPECT_EQ(make_lanczos_table(1728, 864).taps, 12);
  EXPECT_EQ(make_lanczos_table(360, 1440).taps, 6);
  EXPECT_EQ(make_lanczos_table(3, 1440).taps, 3);
}

TEST(LanczosTable, TheSameSizeIsTheSamePicture) {
  const AxisTable table = make_lanczos_table(20, 20);
  for (int i = 0; i < 20; ++i) {
    for (int tap = 0; tap < table.taps; ++tap) {
      EXPECT_NEAR(
          static_cast<double>(table.weights[static_cast<std::size_t>(i * table.taps + tap)]),
          table.first[static_cast<std::size_t>(i)] + tap == i ? 1 : 0,
          1e-7);
    }
  }
}

class LanczosKernel : public testing::Test {
 protected:
  void SetUp() override {
#ifndef VSR_EMULATED_KERNELS
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
#endif
  }

  static Rgb run(const Rgb& from, int width, int height, ElementType type, int extra) {
    AxisOnDevice across(make_lanczos_table(from.width, width));
    AxisOnDevice down(make_lanczos_table(from.height, height));
    RgbOnDevice input(from, type, extra, extra);
    RgbOnDevice output(Rgb(width, height), ElementType::kFloat, extra, 0);
    launch_lanczos(input.view(), across.axis(), down.axis(), output.mutable_view(), kStream);
    bool untouched = false;
    Rgb got = output.read(&untouched);
    EXPECT_TRUE(untouched);
    return got;
  }
};

TEST_F(LanczosKernel, IsTheSumOfTheTables) {
  constexpr int kSizes[][4] = {{1, 1, 1, 1},
                               {2, 3, 5, 7},
                               {120, 72, 100, 60},   // 6/5, as 1728 to 1440
                               {67, 101, 134, 202},  // 1/2
                               {130, 30, 65, 15},    // 2
                               {101, 67, 70, 67},    // across alone
                               {40, 80, 40, 33},     // down alone
                               {700, 90, 9, 1},      // a great ratio
                               {90, 12, 1, 20}};
  for (const auto& [in_width, in_height, width, height] : kSizes) {
    for (const ElementType type : {ElementType::kFloat, ElementType::kHalf}) {
      const Rgb from = random_rgb(in_width, in_height, -0.2f, 1.2f, type, 1);
      const Rgb expected = test::lanczos_scaled(
          from, make_lanczos_table(in_width, width), make_lanczos_table(in_height, height));
      const Rgb got = run(from, width, height, type, type == ElementType::kHalf ? 3 : 0);
      for (std::size_t i = 0; i < expected.values.size(); ++i) {
        ASSERT_NEAR(got.values[i], expected.values[i], 2e-6)
            << in_width << "x" << in_height << " to " << width << "x" << height;
      }
    }
  }
}

TEST_F(LanczosKernel, WhatIsNotFiniteStaysSo) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Rgb from = random_rgb(120, 72, 0, 1, ElementType::kFloat, 1);
    from.at(1, 71, 119) = value;
    const Rgb got = run(from, 100, 60, ElementType::kFloat, 0);
    EXPECT_TRUE(std::isnan(got.at(1, 59, 99)));
    EXPECT_TRUE(std::isfinite(got.at(1, 50, 90)));
    EXPECT_TRUE(std::isfinite(got.at(0, 59, 99)));
  }
}

TEST_F(LanczosKernel, OtherSizesAreRefused) {
  AxisOnDevice axis(make_lanczos_table(8, 4));
  RgbOnDevice from(Rgb(8, 8), ElementType::kFloat);
  RgbOnDevice to(Rgb(5, 4), ElementType::kFloat);
  EXPECT_THROW(launch_lanczos(from.view(), axis.axis(), axis.axis(), to.mutable_view(), kStream),
               Error);
}

}  // namespace
}  // namespace vsr::kernels
