// Lanczos scaling with three lobes, as zimg (FFmpeg's zscale with filter=lanczos) does it:
// half-pixel centres, the kernel widened by the ratio where the picture shrinks, weights that sum
// to 1, samples beyond an edge taken from its mirror image.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/axis_table.hpp"
#include "vsr/kernels/rgb_view.hpp"

namespace vsr::kernels {

// Made once for a size; computed in double precision. Any ratio.
// REQUIRES: in > 0, out > 0.
AxisTable make_lanczos_table(int in, int out);

// Scales the three channels of `from` (across.in x down.in) into `to` (across.out x down.out); one
// kernel for both axes, and nothing between them but fp32.
//
// Values are clamped to 0..1 as they are read, since what lies beyond is no colour and would ring;
// the result may be beyond by the kernel's own ringing. A value that is not finite makes all that
// it touches not a number.
// Queues and returns. Throws Error(kGpu), or Error(kInternal) for sizes that do not fit together or
// a ratio beyond some hundreds.
void launch_lanczos(const RgbView& from,
                    const DeviceAxis& across,
                    const DeviceAxis& down,
                    const MutableRgbView& to,
                    gpu::StreamView stream);

}  // namespace vsr::kernels
