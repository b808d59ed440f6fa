// The alignment in one kernel, and the group planes that it reads, against the plain operation in
// double precision. Skips where there is no GPU.
#include "vsr/kernels/deform_align.hpp"

#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::AlignCase;
using test::kStream;
using test::OnDevice;
using test::random_values;
using test::rounded;

struct Case {
  std::string name;
  DeformShape shape;
  bool second = true;
  ElementType type = ElementType::kHalf;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

std::string name_of(const testing::TestParamInfo<Case>& given) { return given.param.name; }

// channels of a pixel -> [8][pixels][channels / 8]
std::vector<float> group_planes(const std::vector<float>& map, int channels) {
  const std::size_t each = static_cast<std::size_t>(channels) / 8;
  const std::size_t pixels = map.size() / static_cast<std::size_t>(channels);
  std::vector<float> planes;
  for (std::size_t group = 0; group < 8; ++group) {
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::size_t i = 0; i < each; ++i) planes.push_back(map[(pixel * 8 + group) * each + i]);
    }
  }
  return planes;
}

class DeformAlign : public testing::TestWithParam<Case> {};

TEST_P(DeformAlign, IsTheDeformableConvolution) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  const Case& given = GetParam();
  const auto channels = static_cast<std::size_t>(given.shape.channels);
  AlignCase made(given.shape, 11);
  for (auto* values : {&made.x1, &made.x2, &made.heads}) *values = rounded(*values, given.type);
  if (!given.second) std::fill(made.x2.begin(), made.x2.end(), 0.0f);
  const std::size_t inputs = 2 * channels * kDeformTaps;
  const float range = 1 / std::sqrt(static_cast<float>(inputs));
  const auto weights = rounded(random_values(channels * inputs, -range, range, 20), given.type);
  const auto bias = random_values(channels, -1, 1, 21);

  // (output, channel, tap) by columns [tap][channel].
  const std::vector<float> columns = made.expected();
  std::vector<double> expected;
  for (std::size_t pixel = 0; pixel < made.pixels(); ++pixel) {
    for (std::size_t output = 0; output < channels; ++output) {
      double sum = static_cast<double>(bias[output]);
      for (std::size_t i = 0; i < inputs; ++i) {
        const std::size_t tap = i % kDeformTaps;
        const std::size_t channel = i / kDeformTaps;
        sum += static_cast<double>(weights[output * inputs + i]) *
               static_cast<double>(columns[pixel * inputs + tap * 2 * channels + channel]);
      }
      expected.push_back(sum);
    }
  }

  std::vector<float> heads;
  const std::vector<int> order = deform_head_order();
  for (std::size_t pixel = 0; pixel < made.pixels(); ++pixel) {
    for (const int from : order) {
      heads.push_back(made.heads[pixel * kDeformHeadChannels + static_cast<std::size_t>(from)]);
    }
  }
  OnDevice x1(group_planes(made.x1, given.shape.channels), given.type);
  OnDevice x2(group_planes(made.x2, given.shape.channels), given.type);
  OnDevice heads_memory(heads, given.type);
  OnDevice flow1(made.flow1, ElementType::kFloat);
  OnDevice flow2(made.flow2, ElementType::kFloat);
  OnDevice packed(pack_deform_align(given.shape.channels, weights), given.type);
  OnDevice bias_memory(bias, ElementType::kFloat);
  OnDevice out(std::vector<float>(made.pixels() * channels, -99.0f), given.type);
  launch_deform_align({.shape = given.shape,
                       .x1 = x1.data(),
                       .x2 = given.second ? x2.data() : nullptr,
                       .heads = heads_memory.data(),
                       .flow1 = flow1.floats(),
                       .flow2 = given.second ? flow2.floats() : nullptr,
                       .weights = packed.data(),
                       .bias = bias_memory.floats(),
                       .out = out.data()},
                      given.type,
                      kStream);
  const std::vector<float> got = out.values(given.type);
  // Samples are rounded to the type (half: also between the four corners), and so is the result.
  const double tolerance = given.type == ElementType::kHalf ? 4e-3 : 3e-2;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(got[i]), expected[i], tolerance)
        << "pixel " << i / channels << " channel " << i % channels;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels,
    DeformAlign,
    testing::Values(Case{"Tile", {4, 32, 64}},
                    Case{"OddSize", {13, 71, 64}},
                    Case{"NarrowerThanATile", {3, 5, 64}},
                    Case{"OnePixel", {1, 1, 64}},
                    Case{"FirstOrder", {9, 40, 64}, false},
                    Case{"Channels32", {13, 71, 32}},
                    Case{"Channels32FirstOrder", {5, 33, 32}, false},
                    Case{"Bfloat16", {7, 37, 64}, true, ElementType::kBfloat16}),
    name_of);

TEST(GroupPlanes, AreTheMapByGroup) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  for (const int channels : {32, 64}) {
    constexpr std::int64_t kPixels = 133;
    const auto map = rounded(random_values(static_cast<std::size_t>(kPixels * channels), -1, 1, 3),
                             ElementType::kHalf);
    OnDevice from(map, ElementType::kHalf);
    OnDevice to(std::vector<float>(map.size(), -99.0f), ElementType::kHalf);
    launch_group_planes(from.data(), kPixels, channels, to.data(), ElementType::kHalf, kStream);
    EXPECT_EQ(to.values(ElementType::kHalf), group_planes(map, channels));
  }
}

}  // namespace
}  // namespace vsr::kernels
