#include "sampling.hpp"

namespace vsr::kernels {

SamplingKernels sampling_kernels_avx2();
SamplingKernels sampling_kernels_avx512();

SamplingKernels best_sampling_kernels() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    return sampling_kernels_avx512();
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return sampling_kernels_avx2();
  }
  return sampling_kernels_generic();
}

}  // namespace vsr::kernels
