// The 7x7 convolutions of SPyNet (docs/network.md, section 4) on Hopper (compute capability 9.0),
// zero padding, stride 1: 8 -> 32 -> 64 -> 32 -> 16 -> 2 channels. What other devices need is in
// conv.hpp.
//
// Layouts: maps are [images, height, width, channels], half or bfloat16, exactly so many channels
// as the convolution reads or makes, contiguous, 16-byte aligned; flows fp32 [images, height,
// width, 2]. Sums are fp32.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <vector>

namespace vsr::kernels {

// Whether launch_flow_conv() runs on this device.
bool has_flow_conv(int device);

// Whether it is one of the five.
bool is_flow_conv(int kernel, int inputs, int outputs);

// `weights`: (outputs, inputs, 7, 7). In the order in which the kernels want them; to be turned
// into the maps' type.
std::vector<float> pack_flow_conv(int inputs, int outputs, const std::vector<float>& weights);

// out = relu(sums + bias), cut off at half's range; where there are two outputs
// out = base + sums + bias.
struct FlowConvCall {
  const void* weights = nullptr;
  const float* bias = nullptr;  // never null
  int inputs = 0;
  int outputs = 0;
  int images = 1;
  int height = 0;
  int width = 0;
  const void* source = nullptr;
  const float* base = nullptr;  // two outputs: a flow; may be `out`
  void* out = nullptr;          // a map, or a flow
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_flow_conv(const FlowConvCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
