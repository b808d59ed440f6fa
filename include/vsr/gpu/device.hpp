// The GPUs of this machine, as seen by this process. In a build without CUDA there are none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vsr::gpu {

struct DeviceInfo {
  int index = 0;
  std::string name;       // "NVIDIA H200"
  std::string id;         // of the card, the same for all who see it: "GPU-1f2e3d4c-..."
  int compute_major = 0;  // 9 of sm_90
  int compute_minor = 0;
  std::uint64_t total_bytes = 0;
};

struct MemoryInfo {
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};

// True if this program was built with CUDA.
bool built_with_cuda() noexcept;
// 0 without CUDA, without a driver or without a GPU; never throws for those.
int device_count() noexcept;
// Why device_count() is 0, in words for a person: "built without CUDA", "no NVIDIA driver ...".
std::string unavailable_reason();
// Throws Error(kGpu).
DeviceInfo device_info(int index);
MemoryInfo memory_info(int index);
// The device's context as the driver knows it, a CUcontext: the one that all who use the runtime
// work in, torch among them. It lives as long as the process. Null in a build without CUDA. Throws
// Error(kGpu).
void* driver_context(int index);
// The versions of driver and runtime, "driver 13.0, runtime 13.0"; empty without CUDA.
std::string versions();

}  // namespace vsr::gpu
