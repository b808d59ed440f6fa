// Lanczos scaling with three lobes, as zimg (FFmpeg's zscale with filter=lanczos) does it:
// half-pixel centres, the kernel widened by the ratio where the picture shrinks, weights that sum
// to 1, samples beyond an edge taken from its mirror image.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/rgb_view.hpp"

#include <vector>

namespace vsr::kernels {

// One axis: output sample i is the sum over t of weights[i * taps + t] * input[first[i] + t].
// first never falls from one sample to the next, and all samples named are inside the input.
struct LanczosTable {
  int in = 0;
  int out = 0;
  int taps = 0;
  std::vector<int> first;      // [out]
  std::vector<float> weights;  // [out, taps]
};

// Made once for a size; computed in double precision. Any ratio.
// REQUIRES: in > 0, out > 0.
LanczosTable make_lanczos_table(int in, int out);

// The table's vectors in device memory.
struct LanczosAxis {
  int in = 0;
  int out = 0;
  int taps = 0;
  const int* first = nullptr;
  const float* weights = nullptr;
};

// Scales the three channels of `from` (across.in x down.in) into `to` (across.out x down.out); one
// kernel for both axes, and nothing between them but fp32.
//
// Values are clamped to 0..1 as they are read, since what lies beyond is no colour and would ring;
// the result may be beyond by the kernel's own ringing. A value that is not finite makes all that
// it touches not a number.
// Queues and returns. Throws Error(kGpu), or Error(kInternal) for sizes that do not fit together or
// a ratio beyond some hundreds.
void launch_lanczos(const RgbView& from,
                    const LanczosAxis& across,
                    const LanczosAxis& down,
                    const MutableRgbView& to,
                    gpu::StreamView stream);

}  // namespace vsr::kernels
