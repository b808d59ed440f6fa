// The door to the CUDA runtime: its error codes become ours here.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <string_view>

namespace vsr::gpu {

// Throws OutOfMemory for an allocation that failed, Error(kGpu) for every other failure. `what`
// says what was tried, as in "cannot record an event".
void check_cuda(cudaError_t status,
                std::string_view what,
                std::source_location where = std::source_location::current());

// Makes `device` the calling thread's current device for a scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_ = 0;
  bool changed_ = false;
};

}  // namespace vsr::gpu
