// The network's bulk on Hopper (compute capability 9.0): 3x3 convolutions from 64 channels, zero
// padding, stride 1. What other devices and shapes need is in conv.hpp.
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

inline constexpr int kRowsConvInputs = 64;   // channels that one call reads
inline constexpr int kRowsConvOutputs = 64;  // and makes at a time

// Whether launch_rows_conv() runs on this device.
bool has_rows_conv(int device);

constexpr int rows_conv_blocks(int outputs) {
  return (outputs + kRowsConvOutputs - 1) / kRowsConvOutputs;
}

// Elements of the packed weights.
constexpr std::size_t rows_conv_elements(int outputs) {
  return static_cast<std::size_t>(rows_conv_blocks(outputs)) * 9 * kRowsConvInputs *
         kRowsConvOutputs;
}

// `weights`: (outputs, inputs, 3, 3), of which the inputs [first_input, first_input + 64) are taken
// (what lies beyond `inputs` is zeros). In the order in which the threads keep them; to be turned
// into the maps' type.
std::vector<float> pack_rows_conv(int outputs,
                                  int inputs,
                                  int first_input,
                                  const std::vector<float>& weights);

// out = activation(sums + bias + residuals), where activation(x) = x > 0 ? x : slope * x.
struct RowsConvCall {
  const void* weights = nullptr;
  const float* bias = nullptr;  // up to whole blocks of outputs; null: none
  int outputs = 0;              // a multiple of 8
  int images = 1;
  int height = 0;
  int width = 0;

  const void* source = nullptr;
  int source_channels = 0;  // of the map; 64 of them are read
  int first_channel = 0;

  // Of the output's layout. May be the output itself, to add to it in place.
  const void* residuals[2] = {nullptr, nullptr};
  float slope = 1.0f;     // 1: no activation, 0: relu
  bool saturate = false;  // cut off what passes half's range, in place of infinities
  bool upwards = false;   // rows from the last to the first: what was written last is read first

  // [images, height, width, out_channels]; with `shuffle` [images, 2 height, 2 width, 64]: block
  // 2 dy + dx of 256 outputs goes to pixel (2 y + dy, 2 x + dx).
  void* out = nullptr;
  int out_channels = 0;
  bool shuffle = false;
};

// Queues and returns. `type`: kHalf or kBfloat16. Throws Error(kGpu).
void launch_rows_conv(const RowsConvCall& call, ElementType type, gpu::StreamView stream);

}  // namespace vsr::kernels
