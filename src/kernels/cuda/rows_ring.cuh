// What the rows convolutions share: rows of pixels in a ring in shared memory, weights in
// registers, and the product of the two.
#pragma once

#include "cuda/hopper.cuh"

#include <cuda_runtime.h>

#include <cstdint>

namespace vsr::kernels::hopper {

constexpr int kStrip = 128;             // pixels of a row at a time
constexpr int kBoxPixels = kStrip + 2;  // with one on each side
constexpr int kGroups = 2;              // warpgroups that compute, besides one that brings
constexpr int kThreads = 128 * (1 + kGroups);
constexpr int kSumBytes = 64 * kStrip * 2;  // 64 x kStrip sums, rounded

// Note [Sums of a warpgroup]
// A product makes 64 x 128 sums. They are 64 outputs of a row of pixels, or, where a layer has no
// more than 32 outputs, 32 of a row and 32 of the one below. Then the product goes over the four
// rows of the source that either needs, with zeros for weights where a row is none of an output's.
template <int kSourceChannels, int kRowsMade>
struct RowsShape {
  static constexpr int kInputs = kSourceChannels;  // 64, 32 or 16
  static constexpr int kRows = kRowsMade;          // 1 or 2
  static constexpr int kSourceRows = kRows + 2;
  static constexpr int kSourceBytes = kInputs * 2;  // of a pixel
  static constexpr int kChannelSteps = kInputs / 16;
  static constexpr int kSteps = kSourceRows * 3 * kChannelSteps;  // of 16 products
  static constexpr int kBoxBytes = kBoxPixels * kSourceBytes;
  static constexpr int kSlotBytes = (kBoxBytes + 1023) / 1024 * 1024;
  static constexpr int kOutputs = 64 / kRows;
  static constexpr int kOutBytes = kOutputs * 2;  // of a pixel
};

// Rows that the copy engine brings, or a warpgroup makes, numbered from 0, of which kSlots are
// there at a time. Where nothing else tells that a row may be overwritten, a lane of each warp that
// reads it arrives on empty() when the warp is done with it.
template <typename Shape, int kSlots>
struct RowsRing {
  static constexpr int kRows = kSlots;
  static constexpr int kBytes = kSlots * Shape::kSlotBytes;
  static constexpr int kBarriers = 2 * kSlots;

  std::uint32_t memory = 0;  // aligned to 1024
  std::uint32_t barriers = 0;

  __device__ std::uint32_t slot(int row) const { return memory + row % kSlots * Shape::kSlotBytes; }

  __device__ std::uint32_t full(int row) const { return barriers + 8 * (row % kSlots); }

  __device__ std::uint32_t empty(int row) const { return barriers + 8 * (kSlots + row % kSlots); }

  static __device__ int parity(int row) { return row / kSlots & 1; }

  // How many arrive when a row is there, and when it may be overwritten.
  __device__ void init(int bringing = 1, int reading = kGroups * 4) const {
    for (int i = 0; i < kSlots; ++i) {
      init_barrier(full(i), bringing);
      init_barrier(empty(i), reading);
    }
  }
};

// Note [Turns]
// Left alone, the warpgroups share the tensor cores and end their products together, and then the
// tensor cores stand idle while both store their sums. So they take turns: one begins its products
// when the other has queued all of its own, and stores its sums during these.
struct Turns {
  static constexpr int kBarriers = kGroups;

  std::uint32_t barriers = 0;

  __device__ void init() const {
    for (int i = 0; i < kGroups; ++i) init_barrier(barriers + 8 * i, 4);  // a lane of each warp
  }

  // Turn `number` of a group, from 0; every group has as many, group 0 the first.
  __device__ void take(int group, int number) const {
    wait(barriers + 8 * group, (number & 1) ^ (group == 0 ? 1 : 0));
  }

  __device__ void pass_on(int group, int lane) const {
    if (lane == 0) arrive(barriers + 8 * (kGroups - 1 - group));
  }

  // A turn with no products, which would have kept the warp together: else a lane might still wait
  // for this turn when the next one has come.
  __device__ void skip(int group, int number, int lane) const {
    take(group, number);
    __syncwarp();
    pass_on(group, lane);
  }
};

// Of a lane, for 8x8 matrices that hold its warp's 16 outputs of 16 pixels, where sums are laid
// down as rows of pixels (row after row); the first of these pixels lies at `first` of its row.
template <typename Shape>
__device__ std::uint32_t matrix_offset(int warp, int lane, int first = 0) {
  constexpr int kWarps = 4 / Shape::kRows;  // that share a row
  const int pixel = first + lane / 16 * 8 + lane % 8;
  const int part = 2 * (warp % kWarps) + lane / 8 % 2;
  return static_cast<std::uint32_t>(warp / kWarps * kStrip * Shape::kOutBytes +
                                    swizzled<Shape::kOutBytes>(pixel, part));
}

// The first steps of a block of outputs, as pack_rows_conv() has them.
template <int kHeld>
__device__ void load_weights(std::uint32_t (&weights)[kHeld][4], const uint4* packed, int thread) {
#pragma unroll
  for (int step = 0; step < kHeld; ++step) {
    const uint4 four = __ldg(packed + step * 128 + thread);
    weights[step][0] = four.x;
    weights[step][1] = four.y;
    weights[step][2] = four.z;
    weights[step][3] = four.w;
  }
}

// Four steps of them to shared memory, as 64 rows of 128 bytes under the swizzle.
__device__ inline void lay_down_weights(unsigned char* rows, const uint4* packed, int thread) {
  const int row = thread / 32 * 16 + thread % 32 / 4;
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    const uint4 four = __ldg(packed + step * 128 + thread);
    const std::uint32_t words[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      *reinterpret_cast<std::uint32_t*>(rows + swizzled<128>(row + i % 2 * 8, 2 * step + i / 2) +
                                        thread % 4 * 4) = words[i];
    }
  }
}

// The sums (64, or 68 for 8 pixels more) of the rows in the ring that row_address(0..kSourceRows -
// 1) gives, from the upmost; queued() is called when the tensor cores have it all before them.
// `laid_down`: the weights that are not held in registers, as lay_down_weights() puts them, one
// four of steps after the other.
template <typename T, typename Shape, int kSums, int kHeld, typename RowAddress, typename Queued>
__device__ void convolve_rows(float (&sums)[kSums],
                              const std::uint32_t (&weights)[kHeld][4],
                              std::uint32_t laid_down,
                              const RowAddress& row_address,
                              const Queued& queued) {
  constexpr int kRowSteps = 3 * Shape::kChannelSteps;
  begin_products();
#pragma unroll
  for (int dy = 0; dy < Shape::kSourceRows; ++dy) {
    const std::uint64_t pixels = pixels_descriptor<Shape::kSourceBytes>(row_address(dy));
#pragma unroll
    for (int step = 0; step < kRowSteps; ++step) {
      const std::uint64_t here = pixels + step / Shape::kChannelSteps * (Shape::kSourceBytes >> 4) +
                                 step % Shape::kChannelSteps * 2;
      const int number = dy * kRowSteps + step;
      if (number < kHeld) {
        multiply_add<T>(sums, weights[number < kHeld ? number : 0], here, number > 0);
      } else if constexpr (kHeld < Shape::kSteps) {
        const int four = (number - kHeld) / 4;
        multiply_add<T>(
            sums,
            pixels_descriptor<128>(laid_down + four * 64 * 128) + (number - kHeld) % 4 * 2,
            here,
            true);
      }
    }
  }
  commit_products();
  queued();
  wait_for_products<0>();
  fence_sums(sums);
}

template <typename T>
struct Pair;

template <>
struct Pair<__half> {
  // An infinity would be no number two layers on.
  static __device__ std::uint32_t narrow(float low, float high, bool saturate) {
    __half2 both = __floats2half2_rn(low, high);
    if (saturate) {
      both = __hmin2(__hmax2(both, __float2half2_rn(-65504.0f)), __float2half2_rn(65504.0f));
    }
    return *reinterpret_cast<const std::uint32_t*>(&both);
  }

  static __device__ float2 widen(std::uint32_t both) {
    return __half22float2(*reinterpret_cast<const __half2*>(&both));
  }
};

template <>
struct Pair<__nv_bfloat16> {
  static __device__ std::uint32_t narrow(float low, float high, bool) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&both);
  }

  static __device__ float2 widen(std::uint32_t both) {
    return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&both));
  }
};

}  // namespace vsr::kernels::hopper
