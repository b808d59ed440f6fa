// The CPU kernels compiled once for each instruction set; the processor decides at the first call.
#pragma once

#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"

namespace vsr::kernels {

struct SamplingKernels {
  void (*flow_warp_rows)(
      const WarpShape&, WarpBorder, const float*, const float*, float*, int, int) = nullptr;
  void (*align_columns)(const HostAlignInput&, const PixelRange&) = nullptr;
  void (*deform_columns)(const HostDeformInput&, const PixelRange&) = nullptr;
};

SamplingKernels sampling_kernels_generic();
// Of the best instruction set that this processor has; generic ones where there is no better.
SamplingKernels best_sampling_kernels();

}  // namespace vsr::kernels
