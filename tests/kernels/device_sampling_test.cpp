// The device kernels against the CPU ones. Skips where there is no GPU.
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace vsr::kernels {
namespace {

using test::AlignCase;
using test::kStream;
using test::max_difference;
using test::OnDevice;
using test::random_values;
using test::rounded;
using test::size_of;

struct TypeCase {
  ElementType type;
  double tolerance;  // sums of four products of values up to 1, rounded once on output
};

constexpr TypeCase kTypes[] = {
    {ElementType::kFloat, 2e-5}, {ElementType::kHalf, 1e-3}, {ElementType::kBfloat16, 8e-3}};

TEST(DeviceFlowWarp, MatchesTheCpuOnOddSizes) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  for (const WarpShape shape :
       {WarpShape{1, 7, 5, 2}, WarpShape{2, 33, 17, 3}, WarpShape{2, 31, 45, 64}}) {
    const auto input = random_values(size_of(shape, shape.channels), -1, 1, 1);
    const auto flow = random_values(size_of(shape, 2), -8, 8, 2);
    for (const auto& [type, tolerance] : kTypes) {
      const auto seen = rounded(input, type);
      for (const WarpBorder border : {WarpBorder::kZeros, WarpBorder::kClamp}) {
        std::vector<float> expected(input.size());
        flow_warp_rows(shape,
                       border,
                       seen.data(),
                       flow.data(),
                       expected.data(),
                       0,
                       shape.batch * shape.height);
        OnDevice device_input(input, type);
        OnDevice device_flow(flow, ElementType::kFloat);
        OnDevice out(std::vector<float>(input.size(), -99.0f), type);
        launch_flow_warp(
            shape, border, type, device_input.data(), device_flow.floats(), out.data(), kStream);
        EXPECT_LT(max_difference(out.values(type), expected), tolerance);
      }
    }
  }
}

TEST(DeviceAlignColumns, MatchTheCpuOnOddSizesAndRanges) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  for (const DeformShape shape :
       {DeformShape{5, 7, 8}, DeformShape{19, 23, 32}, DeformShape{17, 31, 64}}) {
    for (const auto& [type, tolerance] : kTypes) {
      AlignCase given(shape, 7);
      given.x1 = rounded(given.x1, type);
      given.x2 = rounded(given.x2, type);
      given.heads = rounded(given.heads, type);
      const PixelRange range{3, static_cast<std::int64_t>(given.pixels()) - 2};
      const auto count = static_cast<std::size_t>(range.end - range.begin);
      const std::vector<float> heads(given.heads.begin() + range.begin * kDeformHeadChannels,
                                     given.heads.begin() + range.end * kDeformHeadChannels);
      std::vector<float> expected(count * given.column_size());
      HostAlignInput host = given.input(expected.data());
      host.heads = heads.data();
      align_columns(host, range);

      OnDevice x1(given.x1, type);
      OnDevice x2(given.x2, type);
      OnDevice device_heads(heads, type);
      OnDevice flow1(given.flow1, ElementType::kFloat);
      OnDevice flow2(given.flow2, ElementType::kFloat);
      OnDevice columns(std::vector<float>(expected.size(), -99.0f), type);
      launch_align_columns({shape,
                            x1.data(),
                            x2.data(),
                            device_heads.data(),
                            flow1.floats(),
                            flow2.floats(),
                            columns.data()},
                           range,
                           type,
                           kStream);
      EXPECT_LT(max_difference(columns.values(type), expected), tolerance) << shape.channels;
    }
  }
}

TEST(DeviceDeformColumns, MatchTheCpu) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
  const DeformShape shape{13, 11, 16};
  const AlignCase given(shape, 11);
  std::vector<float> offsets;
  std::vector<float> masks;
  given.plain(offsets, masks);
  const PixelRange all{0, static_cast<std::int64_t>(given.pixels())};
  std::vector<float> expected(given.pixels() * given.column_size());
  deform_columns(
      {shape, given.x1.data(), given.x2.data(), offsets.data(), masks.data(), expected.data()},
      all);
  const ElementType type = ElementType::kFloat;
  OnDevice x1(given.x1, type);
  OnDevice x2(given.x2, type);
  OnDevice device_offsets(offsets, type);
  OnDevice device_masks(masks, type);
  OnDevice columns(std::vector<float>(expected.size(), -99.0f), type);
  launch_deform_columns(
      {shape, x1.data(), x2.data(), device_offsets.floats(), device_masks.floats(), columns.data()},
      all,
      type,
      kStream);
  EXPECT_LT(max_difference(columns.values(type), expected), 2e-5);
}

}  // namespace
}  // namespace vsr::kernels
