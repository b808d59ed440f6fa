// What the alignment of a frame t looks at, from the two frames visited before it (t1, then t2):
//   flow2 = flow1 + warp(flow from t1 to t2, flow1)
//   warped1 = warp(x1, flow1), warped2 = warp(x2, flow2)
//   flows = (flow1, flow2) as channels of a feature map
// Outside the picture are zeros, neighbour by neighbour.
//
// Layouts, all contiguous: maps [height, width, channels] of half or bfloat16, channels a multiple
// of 8; flows fp32 [height, width, 2] (x, y in pixels).
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

namespace vsr::kernels {

inline constexpr int kFlowMapChannels = 16;  // four flow components, then zeros

struct AlignmentContextCall {
  int height = 0;
  int width = 0;
  int channels = 0;
  const void* x1 = nullptr;
  const float* flow1 = nullptr;
  // At the second visited frame there is no t2: null, and warped2 and flow2 are not written.
  const void* x2 = nullptr;
  const float* flow_t1_t2 = nullptr;

  void* warped1 = nullptr;
  void* warped2 = nullptr;
  float* flow2 = nullptr;
  void* flow_map = nullptr;  // [height, width, 16]; cut off at the type's range
};

// Queues and returns. Throws Error(kGpu).
void launch_alignment_context(const AlignmentContextCall& call,
                              ElementType type,
                              gpu::StreamView stream);

}  // namespace vsr::kernels
