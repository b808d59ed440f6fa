// Which of the two kernels.
#include "cuda/deform_align.hpp"

#include "cuda/launch.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace vsr::kernels {

void launch_deform_align(const DeformAlignCall& call, ElementType type, gpu::StreamView stream) {
  if (!has_deform_align(call.shape.channels)) {
    refuse("a deformable alignment that no kernel was made for");
  }
  const bool hopper = call.kernel == DeformAlignKernel::kHopper;
  if (type == ElementType::kHalf) {
    return hopper ? align_hopper<__half>(call, stream) : align_generic<__half>(call, stream);
  }
  if (type == ElementType::kBfloat16) {
    return hopper ? align_hopper<__nv_bfloat16>(call, stream)
                  : align_generic<__nv_bfloat16>(call, stream);
  }
  refuse("alignment on tensor cores takes half or bfloat16");
}

}  // namespace vsr::kernels
