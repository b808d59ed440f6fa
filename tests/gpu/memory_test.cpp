#include "vsr/base/error.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

namespace vsr::gpu {
namespace {

TEST(PinnedBuffer, FallsBackToPlainMemoryWithoutAGpu) {
  PinnedBuffer buffer(10'000, true);
  ASSERT_NE(buffer.data(), nullptr);
  EXPECT_EQ(buffer.size(), 10'000u);
  std::memset(buffer.data(), 7, buffer.size());
  EXPECT_EQ(std::to_integer<int>(buffer.data()[9'999]), 7);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
}

TEST(PinnedBuffer, MovesLeaveNothingBehind) {
  PinnedBuffer first(64, false);
  const std::byte* memory = first.data();
  PinnedBuffer second = std::move(first);
  EXPECT_EQ(second.data(), memory);
  EXPECT_EQ(first.data(), nullptr);  // NOLINT(bugprone-use-after-move): that is the contract
  PinnedBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), memory);
  EXPECT_EQ(third.size(), 64u);
}

TEST(PinnedBuffer, EmptyHoldsNothing) { EXPECT_EQ(PinnedBuffer(0, true).data(), nullptr); }

TEST(PinnedBuffer, TooLargeIsOutOfMemory) {
  EXPECT_THROW(PinnedBuffer(std::numeric_limits<std::size_t>::max() / 4, false), OutOfMemory);
}

TEST(Event, NeverRecordedHasHappened) {
  const Event event;
  EXPECT_TRUE(event.done());
  event.wait();
}

}  // namespace
}  // namespace vsr::gpu
