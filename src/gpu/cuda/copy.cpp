#include "vsr/gpu/copy.hpp"

#include "cuda/check.hpp"
#include "host_copy.hpp"

#include <cstring>

namespace vsr::gpu {

void copy_plane_async(const PlaneCopy& copy, StreamView stream) {
  if (stream.device < 0) {
    copy_plane_on_host(copy);
    return;
  }
  const DeviceGuard guard(stream.device);
  check_cuda(cudaMemcpy2DAsync(copy.to,
                               static_cast<std::size_t>(copy.to_pitch_bytes),
                               copy.from,
                               static_cast<std::size_t>(copy.from_pitch_bytes),
                               copy.row_bytes,
                               copy.rows,
                               cudaMemcpyDefault,
                               static_cast<cudaStream_t>(stream.handle)),
             "cannot copy a picture to or from the GPU");
}

void copy_bytes_async(const void* from, void* to, std::size_t bytes, StreamView stream) {
  if (stream.device < 0) {
    std::memcpy(to, from, bytes);
    return;
  }
  const DeviceGuard guard(stream.device);
  check_cuda(
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, static_cast<cudaStream_t>(stream.handle)),
      "cannot copy to or from the GPU");
}

void clear_async(void* memory, std::size_t bytes, StreamView stream) {
  if (stream.device < 0) {
    std::memset(memory, 0, bytes);
    return;
  }
  const DeviceGuard guard(stream.device);
  check_cuda(cudaMemsetAsync(memory, 0, bytes, static_cast<cudaStream_t>(stream.handle)),
             "cannot clear memory of the GPU");
}

}  // namespace vsr::gpu
