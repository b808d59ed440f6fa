#include "sampling.hpp"

namespace vsr::kernels {

namespace {

const SamplingKernels& chosen() {
  static const SamplingKernels kernels = best_sampling_kernels();
  return kernels;
}

}  // namespace

void flow_warp_rows(const WarpShape& shape,
                    WarpBorder border,
                    const float* input,
                    const float* flow,
                    float* out,
                    int row_begin,
                    int row_end) {
  chosen().flow_warp_rows(shape, border, input, flow, out, row_begin, row_end);
}

void align_columns(const HostAlignInput& input, const PixelRange& pixels) {
  chosen().align_columns(input, pixels);
}

void deform_columns(const HostDeformInput& input, const PixelRange& pixels) {
  chosen().deform_columns(input, pixels);
}

}  // namespace vsr::kernels
