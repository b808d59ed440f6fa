#include "cuda/check.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

namespace vsr::gpu {

void check_cuda(cudaError_t status, std::string_view what, std::source_location where) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // a failed call also leaves its code for whoever asks next
  const std::string text =
      format("{}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
  if (status == cudaErrorMemoryAllocation) throw OutOfMemory(text, where);
  throw Error(ErrorCode::kGpu, text, where);
}

DeviceGuard::DeviceGuard(int device) {
  check_cuda(cudaGetDevice(&previous_), "cannot ask for the current GPU");
  if (previous_ == device) return;
  check_cuda(cudaSetDevice(device), format("cannot use GPU {}", device));
  changed_ = true;
}

DeviceGuard::~DeviceGuard() {
  if (changed_ && cudaSetDevice(previous_) != cudaSuccess) {
    log::warning("gpu", "cannot go back to GPU {}", previous_);
  }
}

}  // namespace vsr::gpu
