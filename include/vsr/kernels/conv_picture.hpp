// The network's end on Hopper (compute capability 9.0) in one kernel: two 3x3 convolutions, from 64
// channels to 64 and from these to a picture; what lies between them never reaches memory. Other
// devices have launch_conv() twice, see conv.hpp.
//
// Layouts: the map is [height, width, 64], half or bfloat16, contiguous, 16-byte aligned; pictures
// are fp32, planar. Sums are fp32; what lies between is rounded to the map's type.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cstddef>
#include <vector>

namespace vsr::kernels {

inline constexpr int kPictureConvChannels = 64;  // of the map, and in between

// Whether launch_picture_conv() runs on this device.
bool has_picture_conv(int device);

// `weights`: (3, 64, 3, 3), of the second convolution; to be turned into the map's type. Those of
// the first are packed by pack_rows_conv().
std::vector<float> pack_picture_conv(const std::vector<float>& weights);

// out = base, enlarged bilinearly + conv2(activation(conv1(source))), where activation(x) =
// x > 0 ? x : slope * x. Both convolutions have zeros outside the picture.
struct PictureConvCall {
  int height = 0;
  int width = 0;
  const void* source = nullptr;

  const void* weights1 = nullptr;
  const float* bias1 = nullptr;  // 64
  float slope = 1.0f;
  const void* weights2 = nullptr;
  const float* bias2 = nullptr;  // 3

  const float* base = nullptr;  // (3, height / scale, width / scale)
  int scale = 1;
  float* out = nullptr;  // (3, height, width)
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_picture_conv(const PictureConvCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
