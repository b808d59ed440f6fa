// Starts a kernel on a stream, with the dynamic shared memory that it asks for.
#pragma once

#include "cuda/launch.hpp"
#include "vsr/gpu/stream.hpp"

#include <cuda_runtime.h>

#include <cstddef>

namespace vsr::kernels {

// Throws Error(kGpu). `shared_bytes`: up to what the device's blocks may have.
template <typename... Parameters, typename... Arguments>
void start_kernel(const char* name,
                  void (*kernel)(Parameters...),
                  dim3 grid,
                  int threads,
                  std::size_t shared_bytes,
                  gpu::StreamView stream,
                  const Arguments&... arguments) {
#ifdef VSR_EMULATED_CUDA
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
  cudaLaunchKernelEx(&config, kernel, arguments...);
  check_launch(name);
#endif
}

}  // namespace vsr::kernels
