#include "cuda/launch.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cuda_runtime_api.h>

namespace vsr::kernels {

void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kGpu,
              format("cannot start {} on the GPU: {}", kernel, cudaGetErrorString(status)));
}

void refuse(const char* why) { throw Error(ErrorCode::kInternal, why); }

LaunchDevice::LaunchDevice(int device) : device_(device) {
  cudaGetDevice(&previous_);
  if (previous_ != device_) cudaSetDevice(device_);
}

LaunchDevice::~LaunchDevice() {
  if (previous_ != device_) cudaSetDevice(previous_);
}

}  // namespace vsr::kernels
