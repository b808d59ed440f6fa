// The small steps of SPyNet (docs/network.md, section 4) between its convolutions: pyramids of the
// pictures, the input of a level, the flow at its final size.
//
// Layouts, all contiguous: pictures fp32 planar [3, height, width]; levels of a pyramid fp32
// [height, width, 4] (R, G, B normalised, and nothing); flows fp32 [height, width, 2].
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

namespace vsr::kernels {

inline constexpr int kFlowLevels = 6;
inline constexpr int kFlowInputChannels = 16;  // 3 of the picture, 3 of the other, 2 flow, zeros

// The flow is found at sizes that are multiples of 32.
constexpr int flow_size(int size) { return (size + 31) / 32 * 32; }

// The picture by a quarter each way (bicubic, a = -0.75) for networks with full-size input:
// planar [3, 4 height, 4 width] to planar [3, height, width].
void launch_quarter(const float* in, int height, int width, float* out, gpu::StreamView stream);

// For image i of `images`: from = levels[i], to = levels[i ^ 1], so that images go by pairs, there
// and back. flow = 2 * resize(coarser flow, corners), or zeros; the input of the level's first
// convolution is (from, warp(to, flow), flow).
struct FlowInputCall {
  static constexpr int kMostImages = 32;
  const float* levels[kMostImages] = {};  // of this level; an image's own picture
  int images = 0;                         // even
  int height = 0;
  int width = 0;
  const float* coarser = nullptr;     // [images, height / 2, width / 2, 2]; null: zeros
  float* flow = nullptr;              // [images, height, width, 2]
  void* out = nullptr;                // [images, height, width, channels]
  int channels = kFlowInputChannels;  // or 8: without the zeros
};

void launch_flow_input(const FlowInputCall& call, ElementType type, gpu::StreamView stream);

// The pyramids of `count` pictures. The largest level: the picture resized (half-pixel bilinear) to
// height x width, less mean, by deviation; the others: means of 2x2 pixels of the next larger one.
struct FlowPyramidCall {
  static constexpr int kMostPictures = FlowInputCall::kMostImages / 2 + 1;
  const float* pictures[kMostPictures] = {};
  int count = 0;
  int picture_height = 0;
  int picture_width = 0;
  float mean[3] = {};
  float deviation[3] = {1, 1, 1};
  int height = 0;  // of the largest level, a multiple of 32
  int width = 0;   // likewise
  float* levels[kFlowLevels][kMostPictures] = {};
};

void launch_flow_pyramid(const FlowPyramidCall& call, gpu::StreamView stream);

// Image i's flow, found at height x width, resized (half-pixel bilinear) to the features' size and
// scaled to their pixels.
struct FlowOutputCall {
  const float* flow = nullptr;  // [images, height, width, 2]
  int images = 0;
  int height = 0;
  int width = 0;
  int out_height = 0;
  int out_width = 0;
  float* outs[FlowInputCall::kMostImages] = {};  // [out_height, out_width, 2] each
};

void launch_flow_output(const FlowOutputCall& call, gpu::StreamView stream);

// fp32 planar [3, height, width] to a map [height, width, 16] of `type`: R, G, B, zeros.
void launch_picture_map(const float* picture,
                        int height,
                        int width,
                        void* out,
                        ElementType type,
                        gpu::StreamView stream);

}  // namespace vsr::kernels
