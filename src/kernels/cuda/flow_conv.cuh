// What the two kernels of SPyNet's convolutions on Hopper share.
#pragma once

#include "cuda/hopper.cuh"
#include "flow_conv_layout.hpp"
#include "vsr/gpu/stream.hpp"

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace vsr::kernels {

inline constexpr int kFlowStrip = 128;  // pixels of a row in one product
inline constexpr int kFlowHalo = FlowConvLayout::kKernel / 2;
inline constexpr int kMostSharedBytes = 227 * 1024;

struct FlowConvParameters {
  CUtensorMap source;  // {channels, width, height, images}
  CUtensorMap out;     // likewise; unused where a flow is made
  const unsigned char* weights;
  const float* bias;
  const float* base;  // of flows
  float* flow;
  int height;
  int width;
  int strip;   // pixels of outputs in a product's row
  int strips;  // an image
  int passes;  // a strip: so many rows of outputs that a block makes them at a time
  int all;     // passes
};

// 8 -> 32, 32 -> 16 and 16 -> 2: weights stay in shared memory.
template <typename T>
void launch_flow_conv_resident(int inputs,
                               FlowConvParameters& parameters,
                               int images,
                               int multiprocessors,
                               gpu::StreamView stream);

// 32 -> 64 and 64 -> 32.
template <typename T>
void launch_flow_conv_streamed(int inputs,
                               FlowConvParameters& parameters,
                               int images,
                               int multiprocessors,
                               gpu::StreamView stream);

// Passes of one strip, one below the other.
struct FlowConvPiece {
  int image;
  int x;
  int pass;
  int count;
};

// The piece that pass number `at` begins, up to `until`: images, then strips, then passes.
__device__ inline FlowConvPiece flow_conv_piece(const FlowConvParameters& p, int at, int until) {
  const int column = at / p.passes;
  FlowConvPiece piece;
  piece.image = column / p.strips;
  piece.x = column % p.strips * p.strip;
  piece.pass = at % p.passes;
  piece.count = min(p.passes - piece.pass, until - at);
  return piece;
}

// The first pass of a block.
__device__ inline int flow_conv_share(const FlowConvParameters& p, unsigned block) {
  return static_cast<int>(static_cast<long long>(p.all) * block / gridDim.x);
}

template <typename T>
__device__ std::uint32_t narrow_positive(float low, float high);

// An infinity would be no number two layers on.
template <>
__device__ inline std::uint32_t narrow_positive<__half>(float low, float high) {
  const __half2 both =
      __hmin2(__floats2half2_rn(fmaxf(low, 0.0f), fmaxf(high, 0.0f)), __float2half2_rn(65504.0f));
  return *reinterpret_cast<const std::uint32_t*>(&both);
}

template <>
__device__ inline std::uint32_t narrow_positive<__nv_bfloat16>(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(fmaxf(low, 0.0f), fmaxf(high, 0.0f));
  return *reinterpret_cast<const std::uint32_t*>(&both);
}

// This warp's 16 lines of a product, biased and activated, to `row`, where the row of outputs that
// they belong to is put together as the copy engine wants it.
template <typename T, int kOutputs>
__device__ void write_outputs(
    const float (&sums)[64], const float (&bias)[2], std::uint32_t row, int warp, int lane) {
  constexpr int kPixelBytes = kOutputs * 2;
  const int pixel = lane / 16 * 8 + lane % 8;
  const int part = 2 * (warp % (kOutputs / 16)) + lane / 8 % 2;
  const int place = part ^ (pixel * kPixelBytes / 128 % (kPixelBytes / 16));
  const std::uint32_t to = row + static_cast<std::uint32_t>(pixel * kPixelBytes + 16 * place);
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    std::uint32_t narrow[4];
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      narrow[v] = narrow_positive<T>(sums[8 * j + 2 * v] + bias[v % 2],
                                     sums[8 * j + 2 * v + 1] + bias[v % 2]);
    }
    hopper::store_transposed(to + j * 16 * kPixelBytes, narrow);
  }
}

}  // namespace vsr::kernels
