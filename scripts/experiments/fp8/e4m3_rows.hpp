// An experiment, no part of the program: 3x3 convolutions from 64 channels in e4m3, for Hopper
// alone. What it showed is in docs/performance.md.
#pragma once

namespace vsr::kernels::e4m3 {

constexpr int kSteps = 18;  // of 32 channels: what a source's weights are made of

// What becomes of sums * scale + bias (by output).
enum Ending : unsigned {
  kAddHalves = 1,  // a residual; where halves are written, their own place
  kWriteHalves = 2,
  kWriteSmall = 4,  // e4m3: with halves or a residual small_scale times that; see slope

  kSmall = kWriteSmall,                              // all that a next convolution needs
  kHalves = kWriteHalves,                            // the first of several passes
  kFirst = kWriteHalves | kWriteSmall,               // a trunk begins
  kResidual = kAddHalves | kWriteHalves,             // a pass that adds to the one before
  kTrunk = kAddHalves | kWriteHalves | kWriteSmall,  // a residual block
  kLastPass = kAddHalves | kWriteSmall,
};

// Maps are [height, width, channels], one image.
struct Call {
  Ending ending = kSmall;
  int outputs = 64;
  int height = 0;
  int width = 0;
  const void* sources[2] = {nullptr, nullptr};  // e4m3, 64 channels; the second may be missing
  const void* weights = nullptr;  // [block of outputs][source][step][thread 0..127][16]
  const float* scale = nullptr;   // by output, up to whole blocks of 64
  const float* bias = nullptr;
  float small_scale = 1;
  float slope = 1;  // where no halves are written: x > 0 ? x : slope * x
  // e4m3, in channels' order channel_at(); with shuffle [2 height, 2 width, 64], see conv_rows.hpp
  void* small = nullptr;
  void* halves = nullptr;
  bool shuffle = false;
  bool upwards = false;
};

// The channel at byte i of a pixel: what a thread has of two rows of sums lies together.
constexpr int channel_at(int i) { return i / 16 * 16 + i % 16 / 2 + i % 2 * 8; }

// On the default stream of the first device; queues and returns. Throws Error(kGpu).
void launch(const Call& call);

}  // namespace vsr::kernels::e4m3
