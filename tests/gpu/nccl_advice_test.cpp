#include "nccl_advice.hpp"

#include "vsr/base/error.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/nccl_broadcast.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vsr::gpu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kPlenty = std::uint64_t{8} << 30;

TEST(NcclAdvice, GoesByWhatNcclNames) {
  // As NCCL 2.28 words them.
  EXPECT_THAT(nccl_advice({.said = "Error while creating shared memory segment /dev/shm/nccl-a1 "
                                   "(size 9637888), error: No space left on device (28)",
                           .system = true,
                           .shared_memory_bytes = 3u << 20}),
              HasSubstr("/dev/shm has 3 MB free: start the container with --shm-size=1g"));
  for (const char* said :
       {"Bootstrap : no socket interface found", "connection closed by remote peer gpu-7<40123>"}) {
    EXPECT_THAT(nccl_advice({.said = said, .shared_memory_bytes = kPlenty}),
                HasSubstr("NCCL_SOCKET_IFNAME"));
  }
  EXPECT_THAT(nccl_advice({.said = "P2P is disabled between connected GPUs 0 and 1",
                           .shared_memory_bytes = kPlenty}),
              HasSubstr("NCCL_P2P_DISABLE=1"));
  EXPECT_THAT(nccl_advice({.said = "Duplicate GPU detected : rank 0 and rank 1 both on CUDA "
                                   "device 1b000",
                           .shared_memory_bytes = kPlenty}),
              HasSubstr("a GPU of its own"));
  EXPECT_THAT(nccl_advice({.said = "Mismatched NCCL version detected : rank 0 version 22809 rank "
                                   "1 version 22703",
                           .shared_memory_bytes = kPlenty}),
              HasSubstr("one build"));
}

TEST(NcclAdvice, ElseByHowFarItCame) {
  EXPECT_THAT(nccl_advice({.said = "not all ranks were found within 20 s",
                           .late = true,
                           .shared_memory_bytes = kPlenty}),
              HasSubstr("NCCL_SOCKET_IFNAME"));
  EXPECT_THAT(nccl_advice({.said = "the bytes have not come within 20 s",
                           .late = true,
                           .in_transfer = true,
                           .shared_memory_bytes = kPlenty}),
              HasSubstr("NCCL_P2P_DISABLE=1"));
  EXPECT_THAT(
      nccl_advice(
          {.said = "unhandled system error", .system = true, .shared_memory_bytes = 10u << 20}),
      HasSubstr("--shm-size"));
  const std::string rest = nccl_advice({.said = "internal error", .shared_memory_bytes = kPlenty});
  EXPECT_THAT(rest, HasSubstr("NCCL_DEBUG=INFO"));
  EXPECT_THAT(rest, Not(HasSubstr("IFNAME")));
}

TEST(Nccl, AnIdTakesNoGpuAndWithoutCudaAllIsAnError) {
  EXPECT_EQ(nccl_version().empty(), !built_with_cuda());
  if (built_with_cuda()) {
    const std::string id = make_nccl_id();
    EXPECT_EQ(id.size(), 128u);
    EXPECT_NE(id, make_nccl_id());
    return;
  }
  std::array<std::byte, 1> byte{};
  EXPECT_THROW(make_nccl_id(), Error);
  EXPECT_THROW(nccl_broadcast("", {}, byte, 1), Error);
}

}  // namespace
}  // namespace vsr::gpu
