// Starts a kernel on a stream, with the dynamic shared memory that it asks for.
#pragma once

#include "cuda/launch.hpp"
#include "vsr/gpu/stream.hpp"

#include <cuda_runtime.h>

#include <cstddef>

namespace vsr::kernels {

// start_kernel() or start_kernel_early(), see there. `early`: where the device can (sm_90), blocks
// may start before the stream's last kernel has ended.
template <typename... Parameters, typename... Arguments>
void queue_kernel(bool early,
                  const char* name,
                  void (*kernel)(Parameters...),
                  dim3 grid,
                  int threads,
                  std::size_t shared_bytes,
                  gpu::StreamView stream,
                  const Arguments&... arguments) {
#ifdef VSR_EMULATED_CUDA
  static_cast<void>(early);
  static_cast<void>(name);
  static_cast<void>(stream);
  emulation::run(grid, threads, shared_bytes, [&] { kernel(arguments...); });
#else
  const LaunchDevice device(stream.device);
  cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  int major = 0;
  if (early) cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, stream.device);
  if (major >= 9) {
    config.attrs = &attribute;
    config.numAttrs = 1;
  }
  cudaLaunchKernelEx(&config, kernel, arguments...);
  check_launch(name);
#endif
}

// Queues a kernel: its name for errors, kernel, grid, threads, shared bytes (up to what the
// device's blocks may have), stream, and the kernel's arguments. Throws Error(kGpu).
template <typename... Call>
void start_kernel(const char* name, const Call&... call) {
  queue_kernel(false, name, call...);
}

// For kernels that begin with this: lets the stream's next kernel start early, and waits until the
// one before has ended and what it wrote is visible.
__device__ inline void follow_previous_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

// Likewise. Only for kernels that touch no memory of others before they have waited for the
// previous kernel.
template <typename... Call>
void start_kernel_early(const char* name, const Call&... call) {
  queue_kernel(true, name, call...);
}

}  // namespace vsr::kernels
