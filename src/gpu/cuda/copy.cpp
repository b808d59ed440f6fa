#include "vsr/gpu/copy.hpp"

#include "cuda/check.hpp"
#include "host_copy.hpp"

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

}  // namespace vsr::gpu
