#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <gtest/gtest.h>

#include <array>
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
  // That is the contract.
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_EQ(first.data(), nullptr);
  PinnedBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), memory);
  EXPECT_EQ(third.size(), 64u);
}

TEST(PinnedBuffer, EmptyHoldsNothing) { EXPECT_EQ(PinnedBuffer(0, true).data(), nullptr); }

TEST(PinnedBuffer, TooLargeIsOutOfMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer ends a program that asks for so much";
#endif
  EXPECT_THROW(PinnedBuffer(std::numeric_limits<std::size_t>::max() / 4, false), OutOfMemory);
}

TEST(CopyPlane, OnTheHostItHappensAtOnce) {
  const std::array<char, 6> from{'a', 'b', '-', 'c', 'd', '-'};
  std::array<char, 4> to{};
  copy_plane_async({.from = from.data(),
                    .from_pitch_bytes = 3,
                    .to = to.data(),
                    .to_pitch_bytes = 2,
                    .row_bytes = 2,
                    .rows = 2},
                   {});
  EXPECT_EQ(to, (std::array<char, 4>{'a', 'b', 'c', 'd'}));
  EXPECT_TRUE(Event::record({}).done());
}

TEST(Event, NeverRecordedHasHappened) {
  const Event event;
  EXPECT_TRUE(event.done());
  event.wait();
}

}  // namespace
}  // namespace vsr::gpu
