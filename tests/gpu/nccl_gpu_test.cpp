// Broadcasts by NCCL with ranks as threads of this process, each with a GPU. Between processes:
// tests/system/weights_gpu_test.py.
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/nccl_broadcast.hpp"
#include "vsr/gpu/stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace vsr::gpu {
namespace {

using ::testing::HasSubstr;

constexpr double kTimeout_s = 20;
constexpr std::size_t kBytes = 29'000'003;  // of a large checkpoint, and no round number

std::vector<std::byte> pattern() {
  std::vector<std::byte> bytes(kBytes);
  std::uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

// One rank's part; what it failed with, or nothing.
std::string take_part(const std::string& id,
                      const NcclPlace& place,
                      std::span<std::byte> bytes,
                      double timeout_s = kTimeout_s) {
  try {
    nccl_broadcast(id, place, bytes, timeout_s);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
    return error.what();
  }
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The device does what it is asked, and no kernel that waits for somebody is in the way.
void expect_usable(int device) {
  const Stream stream(device);
  DeviceBuffer buffer(4096, device);
  std::vector<std::byte> ones(4096, std::byte{1});
  std::vector<std::byte> back(4096);
  copy_bytes_async(ones.data(), buffer.data(), ones.size(), stream.view());
  copy_bytes_async(buffer.data(), back.data(), back.size(), stream.view());
  stream.wait();
  EXPECT_EQ(back, ones);
}

TEST(NcclBroadcast, OfOneRankLeavesItsBytes) {
  if (device_count() == 0) GTEST_SKIP() << unavailable_reason();
  std::vector<std::byte> bytes = pattern();
  EXPECT_EQ(take_part(make_nccl_id(), {}, bytes), "");
  EXPECT_TRUE(bytes == pattern());
}

TEST(NcclBroadcast, BringsTheBytesToAnotherGpu) {
  if (device_count() < 2) GTEST_SKIP() << "needs two GPUs, there are " << device_count();
  // Twice: nothing of the first one is left to be in the way of the second.
  for (int round = 0; round < 2; ++round) {
    const std::string id = make_nccl_id();
    std::vector<std::byte> given = pattern();
    std::vector<std::byte> got(kBytes);
    std::string failures[2];
    const auto begin = std::chrono::steady_clock::now();
    std::thread other(
        [&] { failures[1] = take_part(id, {.rank = 1, .ranks = 2, .device = 1}, got); });
    failures[0] = take_part(id, {.rank = 0, .ranks = 2, .device = 0}, given);
    other.join();
    std::printf("round %d: %.2f s\n", round, seconds_since(begin));
    EXPECT_EQ(failures[0], "");
    EXPECT_EQ(failures[1], "");
    EXPECT_TRUE(got == pattern());
  }
  expect_usable(0);
  expect_usable(1);
}

TEST(NcclBroadcast, GivesUpAtItsDeadlineWhenARankNeverComes) {
  if (device_count() == 0) GTEST_SKIP() << unavailable_reason();
  constexpr double kShort_s = 2;
  std::uint64_t free_bytes[2] = {};
  for (std::uint64_t& free : free_bytes) {
    std::vector<std::byte> bytes = pattern();
    const std::string id = make_nccl_id();
    const auto begin = std::chrono::steady_clock::now();
    const std::string failure =
        take_part(id, {.rank = 0, .ranks = 2, .device = 0}, bytes, kShort_s);
    const double took = seconds_since(begin);
    EXPECT_THAT(failure, HasSubstr("not all ranks were found within 2 s; "));
    EXPECT_GE(took, kShort_s);
    EXPECT_LT(took, kShort_s + 5);
    std::printf("given up after %.2f s: %s\n", took, failure.c_str());
    expect_usable(0);
    free = memory_info(0).free_bytes;
  }
  // What the first one leaves in the context is there once; a link that lived on would add its own.
  constexpr std::uint64_t kLittle = 16u << 20;
  EXPECT_GE(free_bytes[1] + kLittle, free_bytes[0]);
}

TEST(NcclBroadcast, TwoRanksOfOneGpuAreToldSo) {
  if (device_count() == 0) GTEST_SKIP() << unavailable_reason();
  const std::string id = make_nccl_id();
  std::vector<std::byte> bytes[2] = {pattern(), pattern()};
  std::string failures[2];
  std::thread other([&] { failures[1] = take_part(id, {.rank = 1, .ranks = 2}, bytes[1]); });
  failures[0] = take_part(id, {.rank = 0, .ranks = 2}, bytes[0]);
  other.join();
  // Whoever sees it first may be gone before the other one does.
  EXPECT_THAT(failures[0] + failures[1], HasSubstr("give every rank a GPU of its own"));
  EXPECT_NE(failures[0], "");
  EXPECT_NE(failures[1], "");
  expect_usable(0);
}

}  // namespace
}  // namespace vsr::gpu
