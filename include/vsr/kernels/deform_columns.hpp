// The sampling half of BasicVSR++'s modulated deformable convolution (3x3, padding 1, 16 groups):
// every output pixel's 9 * 2c input samples side by side, so that a matrix product does the rest.
//
// Layouts, all contiguous: x1 and x2 [height, width, channels] are the two features (groups 0..7
// sample x1, 8..15 x2, each channels / 8 of them); columns [pixels, 9, 2 * channels] with the tap
// (3 * ky + kx) outside and the channels of x1, then x2, inside. Pixels count row by row.
// Samples outside the picture are 0, neighbour by neighbour. Coordinates are fp32 throughout; one
// that is not a number gives some pixel of the picture or 0; nothing outside the maps is read.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cstdint>

namespace vsr::kernels {

inline constexpr int kDeformGroups = 16;
inline constexpr int kDeformTaps = 9;
inline constexpr int kDeformSamples = kDeformGroups * kDeformTaps;  // by pixel
// Channels of the raw heads: two offset blocks (y, x by sample) and one of masks.
inline constexpr int kDeformHeadChannels = 3 * kDeformSamples;
// Offset residues are 10 * tanh(head).
inline constexpr float kMaxResidue = 10.0f;

struct DeformShape {
  int height = 0;
  int width = 0;
  int channels = 0;  // of x1 alone; a multiple of 8
};

// Pixels [begin, end), counted row by row over the picture.
struct PixelRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// Offsets and masks as they come out of the network's offset branch: for each pixel of the range
// 288 channels (y, x by group and tap) and 144 masks, before tanh, sigmoid and flow. flow1 goes to
// groups 0..7 and flow2 to 8..15; both fp32 [height, width, 2] over the whole picture, x before y.
// `heads` and `columns` start at pixels.begin.
template <typename Pointer, typename OutPointer>
struct BasicAlignInput {
  DeformShape shape;
  Pointer x1 = nullptr;
  Pointer x2 = nullptr;
  Pointer heads = nullptr;
  const float* flow1 = nullptr;
  const float* flow2 = nullptr;
  OutPointer columns = nullptr;
  int map_channels = 0;  // of x1 and x2 in memory, on the device; 0: shape.channels
};

// The plain operation, as other programs define it: offsets fp32 [pixels, 16, 9, 2] (y, x) and
// masks fp32 [pixels, 16, 9], used as they are. `offsets`, `masks`, `columns` start at
// pixels.begin.
template <typename Pointer, typename OutPointer>
struct BasicDeformInput {
  DeformShape shape;
  Pointer x1 = nullptr;
  Pointer x2 = nullptr;
  const float* offsets = nullptr;
  const float* masks = nullptr;
  OutPointer columns = nullptr;
};

using HostAlignInput = BasicAlignInput<const float*, float*>;
using HostDeformInput = BasicDeformInput<const float*, float*>;
using DeviceAlignInput = BasicAlignInput<const void*, void*>;
using DeviceDeformInput = BasicDeformInput<const void*, void*>;

// On the host: one thread; callers share the pixels out. Each pixel depends on its own inputs
// alone, however the ranges are cut.
void align_columns(const HostAlignInput& input, const PixelRange& pixels);
void deform_columns(const HostDeformInput& input, const PixelRange& pixels);

// On the device; queue and return. x1, x2, heads and columns are of `type`. Throw Error(kGpu).
void launch_align_columns(const DeviceAlignInput& input,
                          const PixelRange& pixels,
                          ElementType type,
                          gpu::StreamView stream);
void launch_deform_columns(const DeviceDeformInput& input,
                           const PixelRange& pixels,
                           ElementType type,
                           gpu::StreamView stream);

}  // namespace vsr::kernels
