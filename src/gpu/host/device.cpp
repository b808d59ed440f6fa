#include "vsr/gpu/device.hpp"

#include "vsr/base/error.hpp"

namespace vsr::gpu {

bool built_with_cuda() noexcept { return false; }

int device_count() noexcept { return 0; }

std::string unavailable_reason() { return "built without CUDA"; }

DeviceInfo device_info(int /*index*/) {
  throw Error(ErrorCode::kGpu, "no GPU: " + unavailable_reason());
}

MemoryInfo memory_info(int /*index*/) {
  throw Error(ErrorCode::kGpu, "no GPU: " + unavailable_reason());
}

void* driver_context(int /*index*/) { return nullptr; }

std::string versions() { return ""; }

}  // namespace vsr::gpu
