#include "sampling.hpp"

namespace vsr::kernels {

SamplingKernels best_sampling_kernels() { return sampling_kernels_generic(); }

}  // namespace vsr::kernels
