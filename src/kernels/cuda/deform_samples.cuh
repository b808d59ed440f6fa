// Samples of the deformable alignment: a group's channels, mixed of the four neighbours.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace vsr::kernels {

// Channels in pairs, loaded and stored at once.
template <int kPairs>
struct alignas(4 * kPairs) Samples {
  std::uint32_t pairs[kPairs];
};

// Sum over the neighbours. Bfloat16's 8 bits are too few to sum in.
template <int kPairs>
__device__ Samples<kPairs> mix(const Samples<kPairs> (&corners)[4],
                               const float (&weights)[4],
                               __nv_bfloat16) {
  Samples<kPairs> out;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    float low = 0.0f;
    float high = 0.0f;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const float2 both =
          __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&corners[c].pairs[i]));
      low += weights[c] * both.x;
      high += weights[c] * both.y;
    }
    const __nv_bfloat162 sum = __floats2bfloat162_rn(low, high);
    out.pairs[i] = *reinterpret_cast<const std::uint32_t*>(&sum);
  }
  return out;
}

}  // namespace vsr::kernels
