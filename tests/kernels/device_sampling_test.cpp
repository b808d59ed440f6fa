// The device kernels against the CPU ones. Skips where there is no GPU.
#include "sampling_reference.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace vsr::kernels {
namespace {

constexpr gpu::StreamView kStream{.device = 0};

using test::AlignCase;
using test::max_difference;
using test::random_values;
using test::size_of;

// fp32 values in the number format of the kernel and back. The halves are converted by hand so that
// the test needs no CUDA header: bf16 by rounding to nearest even, fp16 through _Float16.
std::vector<std::byte> encode(const std::vector<float>& values, ElementType type) {
  std::vector<std::byte> bytes(values.size() * (type == ElementType::kFloat ? 4 : 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == ElementType::kFloat) {
      std::memcpy(&bytes[i * 4], &values[i], 4);
    } else if (type == ElementType::kHalf) {
      const auto half = static_cast<_Float16>(values[i]);
      std::memcpy(&bytes[i * 2], &half, 2);
    } else {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[i], 4);
      bits += 0x7fff + (bits >> 16 & 1);
      const auto upper = static_cast<std::uint16_t>(bits >> 16);
      std::memcpy(&bytes[i * 2], &upper, 2);
    }
  }
  return bytes;
}

std::vector<float> decode(const std::vector<std::byte>& bytes, ElementType type) {
  std::vector<float> values(bytes.size() / (type == ElementType::kFloat ? 4 : 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == ElementType::kFloat) {
      std::memcpy(&values[i], &bytes[i * 4], 4);
    } else if (type == ElementType::kHalf) {
      _Float16 half = 0;
      std::memcpy(&half, &bytes[i * 2], 2);
      values[i] = static_cast<float>(half);
    } else {
      std::uint16_t upper = 0;
      std::memcpy(&upper, &bytes[i * 2], 2);
      const std::uint32_t bits = static_cast<std::uint32_t>(upper) << 16;
      std::memcpy(&values[i], &bits, 4);
    }
  }
  return values;
}

void copy(const void* from, void* to, std::size_t bytes) {
  gpu::copy_plane_async(
      {from, static_cast<std::ptrdiff_t>(bytes), to, static_cast<std::ptrdiff_t>(bytes), bytes, 1},
      kStream);
  gpu::Event::record(kStream).wait();
}

class OnDevice {
 public:
  OnDevice(const std::vector<float>& values, ElementType type) : OnDevice(encode(values, type)) {}

  explicit OnDevice(const std::vector<std::byte>& bytes) : buffer_(bytes.size(), 0) {
    copy(bytes.data(), buffer_.data(), bytes.size());
  }

  void* data() { return buffer_.data(); }

  const float* floats() { return static_cast<const float*>(buffer_.data()); }

  std::vector<float> values(ElementType type) const {
    std::vector<std::byte> bytes(buffer_.size());
    copy(buffer_.data(), bytes.data(), bytes.size());
    return decode(bytes, type);
  }

 private:
  gpu::DeviceBuffer buffer_;
};

struct TypeCase {
  ElementType type;
  double tolerance;  // sums of four products of values up to 1, rounded once on output
};

constexpr TypeCase kTypes[] = {
    {ElementType::kFloat, 2e-5}, {ElementType::kHalf, 1e-3}, {ElementType::kBfloat16, 8e-3}};

// As the device sees them: rounded to its number format.
std::vector<float> rounded(const std::vector<float>& values, ElementType type) {
  return decode(encode(values, type), type);
}

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
