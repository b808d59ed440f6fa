// Eight neighbouring channels of a feature map, 16 bytes: what a thread loads and stores at once.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace vsr::kernels {

template <typename T>
struct Element;

template <>
struct Element<__half> {
  static __device__ float widen(__half value) { return __half2float(value); }

  // `saturate`: cut off at half's range, since an infinity would be no number two layers on.
  static __device__ __half narrow(float value, bool saturate) {
    return __float2half_rn(saturate ? fminf(fmaxf(value, -65504.0f), 65504.0f) : value);
  }
};

template <>
struct Element<__nv_bfloat16> {
  static __device__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }

  static __device__ __nv_bfloat16 narrow(float value, bool /*saturate*/) {
    return __float2bfloat16_rn(value);
  }
};

template <typename T>
struct alignas(16) Eight {
  T values[8];
};

template <typename T>
__device__ Eight<T> load_eight(const void* map, std::int64_t at) {
  return *reinterpret_cast<const Eight<T>*>(static_cast<const T*>(map) + at);
}

template <typename T>
__device__ void store_eight(void* map, std::int64_t at, const Eight<T>& eight) {
  *reinterpret_cast<Eight<T>*>(static_cast<T*>(map) + at) = eight;
}

template <typename T>
__device__ Eight<T> narrow_eight(const float (&values)[8], bool saturate = true) {
  Eight<T> narrow;
#pragma unroll
  for (int i = 0; i < 8; ++i) narrow.values[i] = Element<T>::narrow(values[i], saturate);
  return narrow;
}

}  // namespace vsr::kernels
