// What the colour and scaling kernels share: elements as fp32, the watch for what is not finite.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace vsr::kernels {

constexpr int kWarp = 32;

// Blocks that cover `size`, `each` of it a block.
inline unsigned blocks_over(int size, int each) {
  return static_cast<unsigned>((size + each - 1) / each);
}

__device__ inline float widen(float value) { return value; }

__device__ inline float widen(__half value) { return __half2float(value); }

// 0 for what is not a number.
__device__ inline float to_unit(float value) { return fminf(fmaxf(value, 0.0f), 1.0f); }

// 0 as long as all values added were finite, afterwards not a number.
class FiniteCheck {
 public:
  __device__ void add(float value) { zero_ = fmaf(value, 0.0f, zero_); }

  __device__ float zero() const { return zero_; }

  __device__ bool failed() const { return !(zero_ == 0.0f); }

 private:
  float zero_ = 0.0f;
};

}  // namespace vsr::kernels
