#include "sampling_impl.hpp"

namespace vsr::kernels {

SamplingKernels sampling_kernels_avx2() {
  return {flow_warp_rows_here, align_columns_here, deform_columns_here};
}

}  // namespace vsr::kernels
