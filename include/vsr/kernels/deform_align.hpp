// BasicVSR++'s modulated deformable convolution (3x3, padding 1, 16 groups) as one kernel: samples
// are taken, weighed and multiplied without passing through memory. The plain operation, for any
// number of channels, is in deform_columns.hpp.
//
// Layouts, all contiguous: x1 and x2 by group, [8, height, width, channels / 8] (group planes), out
// [height, width, channels], heads [height, width, 432] of half or bfloat16, flows fp32 [height,
// width, 2] (x, y in pixels). Groups 0..7 sample x1 along flow1, groups 8..15 x2 along flow2.
// Samples outside the picture are 0, neighbour by neighbour. Coordinates are fp32; one that is not
// a number gives some pixel or 0; nothing outside the maps is read.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/element_type.hpp"

#include <vector>

namespace vsr::kernels {

// Channels of x1 for which there is such a kernel. Products need sm_80 or later.
constexpr bool has_deform_align(int channels) { return channels == 32 || channels == 64; }

// The heads' channels in the order in which the kernel reads them: channel i is the network's
// channel order[i] (of which 0..287 are offsets, y and x by group and tap, and 288..431 masks).
// For each tap and each of x1 and x2: 8 groups' offsets, then their 8 masks.
std::vector<int> deform_head_order();

// `weights`: (channels, 2 * channels, 3, 3). To be turned into the maps' type.
std::vector<float> pack_deform_align(int channels, const std::vector<float>& weights);

struct DeformAlignCall {
  DeformShape shape;
  const void* x1 = nullptr;
  const void* x2 = nullptr;     // null: zeros
  const void* heads = nullptr;  // before tanh and sigmoid, in deform_head_order()
  const float* flow1 = nullptr;
  const float* flow2 = nullptr;  // not read where x2 is null
  const void* weights = nullptr;
  const float* bias = nullptr;  // `channels`
  void* out = nullptr;
};

// A map [pixels, channels] as group planes [8, pixels, channels / 8]. Queues and returns. `type`:
// kHalf or kBfloat16; `channels` as has_deform_align(). Throws Error(kGpu).
void launch_group_planes(const void* map,
                         std::int64_t pixels,
                         int channels,
                         void* planes,
                         ElementType type,
                         gpu::StreamView stream);

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_deform_align(const DeformAlignCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
