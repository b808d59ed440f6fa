// A CUDA stream that somebody else owns: a bare handle, so that no header of ours shows CUDA's.
#pragma once

namespace vsr::gpu {

// `handle` is a cudaStream_t (null: the device's default stream); `device` the number of the device
// it belongs to, or -1 for the host, where everything has happened by the time a call returns.
struct StreamView {
  void* handle = nullptr;
  int device = -1;
};

}  // namespace vsr::gpu
