// The kernels of the deformable alignment.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/deform_align.hpp"

namespace vsr::kernels {

// Samples by all threads into shared memory, products of warps; every device from sm_80 on.
template <typename T>
void align_generic(const DeformAlignCall& call, gpu::StreamView stream);

// Samples straight into the registers that wgmma multiplies from; sm_90a.
template <typename T>
void align_hopper(const DeformAlignCall& call, gpu::StreamView stream);

}  // namespace vsr::kernels
