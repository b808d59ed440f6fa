#include "vsr/gpu/device.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

namespace vsr::gpu {
namespace {

TEST(Device, CountAndReasonAgree) {
  if (device_count() > 0) {
    EXPECT_TRUE(built_with_cuda());
    EXPECT_EQ(unavailable_reason(), "");
    return;
  }
  EXPECT_NE(unavailable_reason(), "");
  if (!built_with_cuda()) {
    EXPECT_EQ(unavailable_reason(), "built without CUDA");
  }
}

TEST(Device, UnknownDeviceIsAGpuError) {
  try {
    device_info(device_count());
    FAIL() << "a device past the last one was described";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kGpu);
  }
  EXPECT_THROW(memory_info(-1), Error);
}

TEST(Device, VersionsAreEmptyOnlyWithoutCuda) { EXPECT_EQ(versions().empty(), !built_with_cuda()); }

}  // namespace
}  // namespace vsr::gpu
