#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace vsr::gpu {
namespace {

TEST(CopyPlane, PitchedRowsArriveWithoutTheirPadding) {
  if (device_count() == 0) GTEST_SKIP() << unavailable_reason();
  constexpr std::size_t kRows = 37;
  constexpr std::size_t kRowBytes = 101;
  constexpr std::ptrdiff_t kPitch = 128;
  PinnedBuffer from(kRows * kPitch, true);
  PinnedBuffer to(kRows * kRowBytes, true);
  for (std::size_t i = 0; i < from.size(); ++i) from.data()[i] = static_cast<std::byte>(i % 251);
  const StreamView stream{.device = 0};
  copy_plane_async({.from = from.data(),
                    .from_pitch_bytes = kPitch,
                    .to = to.data(),
                    .to_pitch_bytes = kRowBytes,
                    .row_bytes = kRowBytes,
                    .rows = kRows},
                   stream);
  const Event ready = Event::record(stream);
  ready.wait();
  EXPECT_TRUE(ready.done());
  for (std::size_t y = 0; y < kRows; ++y) {
    for (std::size_t x = 0; x < kRowBytes; ++x) {
      ASSERT_EQ(to.data()[y * kRowBytes + x], from.data()[y * kPitch + x]) << y << ", " << x;
    }
  }
}

TEST(DeviceInfo, SaysWhatTheGpuIs) {
  if (device_count() == 0) GTEST_SKIP() << unavailable_reason();
  const DeviceInfo info = device_info(0);
  EXPECT_FALSE(info.name.empty());
  EXPECT_GE(info.compute_major, 5);
  const MemoryInfo memory = memory_info(0);
  EXPECT_GT(memory.free_bytes, 0u);
  EXPECT_GE(memory.total_bytes, memory.free_bytes);
}

}  // namespace
}  // namespace vsr::gpu
