// What the device kernels share: element conversion, the four neighbours of a sample.
#pragma once

#include "cuda/launch.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace vsr::kernels {

__device__ inline float to_float(float value) { return value; }

__device__ inline float to_float(__half value) { return __half2float(value); }

__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

template <typename T>
__device__ T from_float(float value);

template <>
__device__ inline float from_float<float>(float value) {
  return value;
}

template <>
__device__ inline __half from_float<__half>(float value) {
  return __float2half_rn(value);
}

template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

// Where a sample's four neighbours are (pixel numbers) and how much of each it takes. Neighbours
// outside the picture point inside it and weigh nothing.
struct Taps {
  int pixel[4];
  float weight[4];
};

// fmaxf and fminf give the other operand for what is not a number, so that the result is one.
__device__ inline Taps taps_at(float y, float x, int height, int width) {
  y = fminf(fmaxf(y, -1.0f), static_cast<float>(height));
  x = fminf(fmaxf(x, -1.0f), static_cast<float>(width));
  const float y_floor = floorf(y);
  const float x_floor = floorf(x);
  const int y0 = static_cast<int>(y_floor);
  const int x0 = static_cast<int>(x_floor);
  const float fy = y - y_floor;
  const float fx = x - x_floor;
  const float wy0 = y0 >= 0 && y0 < height ? 1.0f - fy : 0.0f;
  const float wy1 = y0 + 1 < height ? fy : 0.0f;
  const float wx0 = x0 >= 0 && x0 < width ? 1.0f - fx : 0.0f;
  const float wx1 = x0 + 1 < width ? fx : 0.0f;
  const int row0 = min(max(y0, 0), height - 1) * width;
  const int row1 = min(y0 + 1, height - 1) * width;
  const int column0 = min(max(x0, 0), width - 1);
  const int column1 = min(x0 + 1, width - 1);
  return {{row0 + column0, row0 + column1, row1 + column0, row1 + column1},
          {wy0 * wx0, wy0 * wx1, wy1 * wx0, wy1 * wx1}};
}

// Channel `channel` of the sample, from a [pixels, stride] map.
template <typename T>
__device__ float blend(const T* map, std::int64_t stride, int channel, const Taps& taps) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    sum += taps.weight[i] * to_float(map[taps.pixel[i] * stride + channel]);
  }
  return sum;
}

// Blocks of `threads` for `items`, one item a thread.
inline unsigned blocks_for(std::int64_t items, int threads) {
  return static_cast<unsigned>((items + threads - 1) / threads);
}

// Calls launch(T{}) with the C++ type that `type` names.
template <typename Launch>
void with_type(ElementType type, const Launch& launch) {
  switch (type) {
    case ElementType::kFloat:
      return launch(float{});
    case ElementType::kHalf:
      return launch(__half{});
    case ElementType::kBfloat16:
      return launch(__nv_bfloat16{});
  }
}

}  // namespace vsr::kernels
