// The network's bulk on Hopper (compute capability 9.0): 3x3 convolutions from 64, 32 or 16
// channels, zero padding, stride 1. What other devices and shapes need is in conv.hpp.
//
// Layouts: maps are [images, height, width, channels], half or bfloat16, channels a multiple of 8,
// contiguous, 16-byte aligned. Sums are fp32.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vsr::kernels {

// Whether launch_rows_conv() runs on this device.
bool has_rows_conv(int device);

inline constexpr int kRowsConvOutputs = 64;  // made at a time

constexpr int rows_conv_blocks(int outputs) {
  return (outputs + kRowsConvOutputs - 1) / kRowsConvOutputs;
}

// Rows of the picture that are made at a time; 2 where a row has only half of 64 outputs.
constexpr int rows_conv_rows(int inputs, int outputs) {
  return inputs == 32 && outputs <= kRowsConvOutputs / 2 ? 2 : 1;
}

// Whether calls can read all of a map of so many channels, and what the next one reads with `left`
// still to read. Fewer than 8 are colours or flows, padded to 16. (Other widths could not be
// shuffled.)
constexpr bool is_rows_conv_source(int channels) {
  return channels < 8 || channels == 32 || channels % 64 == 0;
}

constexpr int rows_conv_inputs(int left) { return left < 8 ? 16 : left == 32 ? 32 : 64; }

// A convolution's weights, (outputs, channels, 3, 3), of which one call takes the inputs
// [first_input, first_input + inputs); what lies beyond `channels` is zeros.
struct RowsConvWeights {
  int outputs = 0;
  int channels = 0;
  const std::vector<float>& values;
};

// In the order in which the threads keep them; to be turned into the maps' type.
std::vector<float> pack_rows_conv(const RowsConvWeights& weights, int first_input, int inputs);

// out = activation(sums + bias + residuals), where activation(x) = x > 0 ? x : slope * x.
struct RowsConvCall {
  const void* weights = nullptr;
  const float* bias = nullptr;  // up to whole blocks of outputs; null: none
  int outputs = 0;              // a multiple of 8
  int images = 1;
  int height = 0;
  int width = 0;

  const void* source = nullptr;
  int source_channels = 0;  // of the map
  int first_channel = 0;    // of those that are read
  int inputs = 64;          // how many: 64, 32 or 16

  // Of the output's layout. May be the output itself, to add to it in place.
  const void* residuals[2] = {nullptr, nullptr};
  float slope = 1.0f;     // 1: no activation, 0: relu
  bool saturate = false;  // cut off what passes half's range, in place of infinities
  bool upwards = false;   // rows from the last to the first: what was written last is read first

  // [images, height, width, out_channels]; with `shuffle` [images, 2 height, 2 width,
  // out_channels], of 32 or a multiple of 64 channels: outputs (2 dy + dx, k) go to channel k of
  // pixel (2 y + dy, 2 x + dx).
  void* out = nullptr;
  int out_channels = 0;
  bool shuffle = false;
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_rows_conv(const RowsConvCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
