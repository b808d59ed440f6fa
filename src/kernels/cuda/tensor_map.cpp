#include "cuda/tensor_map.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

namespace vsr::kernels {

namespace {

// The driver's own function, found at run time: the program must start where there is no driver.
PFN_cuTensorMapEncodeTiled_v12000 encode_function() {
  static const auto function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const char* const name = "cuTensorMapEncodeTiled";
#if CUDART_VERSION >= 12050
    const cudaError_t status =
        cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result);
#else  // of the runtime's own version, in which it is the same function
    const cudaError_t status = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &result);
#endif
    if (status != cudaSuccess || result != cudaDriverEntryPointSuccess) found = nullptr;
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(found);
  }();
  if (function == nullptr) {
    throw Error(ErrorCode::kGpu, "the NVIDIA driver is too old for this GPU's copy engine");
  }
  return function;
}

CUtensorMapSwizzle swizzle_of(std::uint32_t bytes) {
  if (bytes == 128) return CU_TENSOR_MAP_SWIZZLE_128B;
  if (bytes == 64) return CU_TENSOR_MAP_SWIZZLE_64B;
  if (bytes == 32) return CU_TENSOR_MAP_SWIZZLE_32B;
  return CU_TENSOR_MAP_SWIZZLE_NONE;
}

}  // namespace

CUtensorMap tensor_map(const TensorBox& tensor, ElementType type) {
  CUtensorMap map;
  cuuint32_t steps[5] = {1, 1, 1, 1, 1};
  cuuint64_t sizes[5];
  cuuint64_t strides[4];
  cuuint32_t box[5];
  for (int i = 0; i < 5; ++i) {
    sizes[i] = tensor.sizes[i];
    box[i] = tensor.box[i];
    if (i < 4) strides[i] = tensor.strides[i];
  }
  const CUresult status =
      encode_function()(&map,
                        type == ElementType::kHalf ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                                   : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                        static_cast<cuuint32_t>(tensor.dimensions),
                        const_cast<void*>(tensor.data),
                        sizes,
                        strides,
                        box,
                        steps,
                        CU_TENSOR_MAP_INTERLEAVE_NONE,
                        swizzle_of(box[0] * 2),
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw Error(ErrorCode::kGpu,
                format("the NVIDIA driver refused a map for its copy engine (status {})",
                       static_cast<int>(status)));
  }
  return map;
}

}  // namespace vsr::kernels
