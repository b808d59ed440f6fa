// BasicVSR++'s modulated deformable convolution (3x3, padding 1, 16 groups) as one kernel: samples
// are taken, weighed and multiplied without passing through memory. The plain operation, for any
// number of channels, is in deform_columns.hpp.
//
// Layouts, all contiguous: x1, x2 and out [height, width, channels], heads [height, width, 432] of
// half or bfloat16, flows fp32 [height, width, 2] (x, y in pixels). Groups 0..7 sample x1 along
// flow1, groups 8..15 x2 along flow2. Samples outside the picture are 0, neighbour by neighbour.
// Coordinates are fp32; one that is not a number gives some pixel or 0; nothing outside the maps is
// read.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/element_type.hpp"

#include <vector>

namespace vsr::kernels {

// Channels of x1 for which there is such a kernel. Products need sm_80 or later.
constexpr bool has_deform_align(int channels) { return channels == 32 || channels == 64; }

enum class DeformAlignKernel {
  kGeneric,  // sm_80 and later
  kHopper,   // sm_90a
};

// The heads' channels in the order in which the kernels read them: channel i is the network's
// channel order[i] (of which 0..287 are offsets, y and x by group and tap, and 288..431 masks).
// Samples (x1's 9 taps, then x2's) come in twos, groups in twos as well, q and q + 4: see
// deform_head_place().
std::vector<int> deform_head_order();

// Where the heads of a sample of a group are: y's offset, x's next to it, and the mask. Two samples
// take 96 bytes: [q][sample][group q, q + 4][y, x], then the masks [q][sample][group]; so what a
// thread of Hopper's kernel reads lies together, and sectors of 32 bytes are read once.
struct DeformHeadPlace {
  int offset = 0;
  int mask = 0;
};

constexpr DeformHeadPlace deform_head_place(int sample, int group) {
  const int two = sample / 2 * 48;
  const int within = group % 4 * 4 + sample % 2 * 2 + group / 4;
  return {two + 2 * within, two + 32 + within};
}

// `weights`: (channels, 2 * channels, 3, 3). To be turned into the maps' type.
std::vector<float> pack_deform_align(DeformAlignKernel kernel,
                                     int channels,
                                     const std::vector<float>& weights);

struct DeformAlignCall {
  DeformAlignKernel kernel = DeformAlignKernel::kGeneric;
  DeformShape shape;
  const void* x1 = nullptr;
  const void* x2 = nullptr;     // null: zeros
  const void* heads = nullptr;  // before tanh and sigmoid, in deform_head_order()
  const float* flow1 = nullptr;
  const float* flow2 = nullptr;   // not read where x2 is null
  const void* weights = nullptr;  // packed for the kernel
  const float* bias = nullptr;    // `channels`
  void* out = nullptr;
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_deform_align(const DeformAlignCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
