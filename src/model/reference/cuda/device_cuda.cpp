#include "device.hpp"
#include "vsr/base/log.hpp"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

namespace vsr::model::reference {

gpu::StreamView view_of(const c10::Stream& stream) {
  if (!stream.device().is_cuda()) return {};
  return {.handle = c10::cuda::CUDAStream(stream).stream(), .device = stream.device_index()};
}

c10::Stream new_stream(const c10::Device& device) {
  if (!device.is_cuda()) return c10::Stream(c10::Stream::DEFAULT, device);
  return c10::cuda::getStreamFromPool(false, device.index()).unwrap();
}

c10::Stream current_stream(const c10::Device& device) {
  if (!device.is_cuda()) return c10::Stream(c10::Stream::DEFAULT, device);
  return c10::cuda::getCurrentCUDAStream(device.index()).unwrap();
}

void release_cached_memory(const c10::Device& device) noexcept {
  if (!device.is_cuda()) return;
  try {
    const c10::cuda::CUDAGuard guard(device);
    cudaGetLastError();
    cudaDeviceSynchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();
  } catch (const std::exception& error) {
    log::warning("model", "cannot give GPU memory back: {}", error.what());
  }
}

}  // namespace vsr::model::reference
