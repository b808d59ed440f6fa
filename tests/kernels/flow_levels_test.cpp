// The pyramids of SPyNet against a plain one in double precision.
#include "vsr/kernels/flow_levels.hpp"

#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <vector>

namespace vsr::kernels {
namespace {

using test::kStream;
using test::OnDevice;
using test::random_values;

std::size_t to_size(int count) { return static_cast<std::size_t>(count); }

// Plane [height, width], bilinear with half-pixel centres.
double resized(
    const float* plane, int height, int width, int to_height, int to_width, int y, int x) {
  const auto line = [](int place, int count, int from, int& first, int& second) {
    const double at = std::max((place + 0.5) * from / count - 0.5, 0.0);
    first = std::min(static_cast<int>(at), from - 1);
    second = std::min(first + 1, from - 1);
    return at - first;
  };
  int y0 = 0;
  int y1 = 0;
  int x0 = 0;
  int x1 = 0;
  const double fy = line(y, to_height, height, y0, y1);
  const double fx = line(x, to_width, width, x0, x1);
  const auto of = [&](int row, int column) {
    return static_cast<double>(plane[row * width + column]);
  };
  return (1 - fy) * ((1 - fx) * of(y0, x0) + fx * of(y0, x1)) +
         fy * ((1 - fx) * of(y1, x0) + fx * of(y1, x1));
}

TEST(FlowPyramid, IsResizedNormalisedAndHalved) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  constexpr int kPictures = 2;
  constexpr int kHeight = 37;
  constexpr int kWidth = 95;
  FlowPyramidCall call{.count = kPictures,
                       .picture_height = kHeight,
                       .picture_width = kWidth,
                       .mean = {0.4f, 0.5f, 0.6f},
                       .deviation = {0.2f, 0.3f, 0.25f},
                       .height = flow_size(kHeight),
                       .width = flow_size(kWidth)};
  std::deque<OnDevice> memory;
  std::vector<std::vector<float>> pictures;
  for (int i = 0; i < kPictures; ++i) {
    pictures.push_back(
        random_values(to_size(3 * kHeight * kWidth), 0, 1, 1 + static_cast<unsigned>(i)));
    memory.emplace_back(pictures.back(), ElementType::kFloat);
    call.pictures[i] = memory.back().floats();
  }
  std::vector<std::vector<OnDevice*>> made(kFlowLevels);
  for (int level = 0; level < kFlowLevels; ++level) {
    const int shrink = kFlowLevels - 1 - level;
    const int values = 4 * (call.height >> shrink) * (call.width >> shrink);
    for (int i = 0; i < kPictures; ++i) {
      memory.emplace_back(std::vector<float>(to_size(values), -99.0f), ElementType::kFloat);
      made[to_size(level)].push_back(&memory.back());
      call.levels[level][i] = static_cast<float*>(memory.back().data());
    }
  }
  launch_flow_pyramid(call, kStream);
  // Tolerance: places on the picture are fp32, and a step between two pixels is up to 5 deviations.
  for (int i = 0; i < kPictures; ++i) {
    std::vector<double> larger;
    for (int level = kFlowLevels - 1; level >= 0; --level) {
      const int height = call.height >> (kFlowLevels - 1 - level);
      const int width = call.width >> (kFlowLevels - 1 - level);
      const auto got = made[to_size(level)][to_size(i)]->values(ElementType::kFloat);
      std::vector<double> expected(got.size());
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          for (int c = 0; c < 3; ++c) {
            double& value = expected[to_size((y * width + x) * 4 + c)];
            if (larger.empty()) {
              const float* plane = pictures[to_size(i)].data() + c * kHeight * kWidth;
              value = (resized(plane, kHeight, kWidth, height, width, y, x) -
                       static_cast<double>(call.mean[c])) /
                      static_cast<double>(call.deviation[c]);
            } else {
              for (int four = 0; four < 4; ++four) {
                const int from = (2 * y + four / 2) * 2 * width + 2 * x + four % 2;
                value += larger[to_size(from * 4 + c)] / 4;
              }
            }
          }
          for (int c = 0; c < 4; ++c) {
            const std::size_t at = to_size((y * width + x) * 4 + c);
            ASSERT_NEAR(static_cast<double>(got[at]), expected[at], 1e-4)
                << "picture " << i << " level " << level << " row " << y << " column " << x;
          }
        }
      }
      larger = expected;
    }
  }
}

}  // namespace
}  // namespace vsr::kernels
