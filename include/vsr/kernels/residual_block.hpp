// A residual block on Hopper (compute capability 9.0) in one kernel: two 3x3 convolutions of 64
// channels and what they are added to; what lies between them never reaches memory. Other devices
// and shapes have two convolutions, see conv_rows.hpp and conv.hpp.
//
// Layouts: maps are [images, height, width, 64], half or bfloat16, contiguous, 16-byte aligned.
// Sums are fp32; what lies between is rounded to the maps' type.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

namespace vsr::kernels {

inline constexpr int kResidualBlockChannels = 64;

// Whether launch_residual_block() runs on this device.
bool has_residual_block(int device);

// out = source + conv2(relu(conv1(source))) + added. Both convolutions have zeros outside the
// picture. The same bits as by launch_rows_conv() twice.
struct ResidualBlockCall {
  int images = 1;
  int height = 0;
  int width = 0;
  const void* source = nullptr;

  const void* weights1 = nullptr;  // by pack_rows_conv()
  const float* bias1 = nullptr;    // 64
  const void* weights2 = nullptr;
  const float* bias2 = nullptr;

  const void* added = nullptr;  // a map like the source; null: none
  bool upwards = false;         // rows from the last to the first; for the caches
  void* out = nullptr;          // not the source, which is read beside what has been written
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_residual_block(const ResidualBlockCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
