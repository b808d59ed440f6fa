// Bilinear sampling of a feature map along a flow:
//   out[y, x, :] = sample of input at (y + flow[y, x, 1], x + flow[y, x, 0])
//
// Layouts: input and out [batch, height, width, channels], flow fp32 [batch, height, width, 2]
// (x displacement, then y, in pixels), all contiguous. A coordinate that is not a number samples
// some pixel of the picture, or 0; nothing outside the map is ever read.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

namespace vsr::kernels {

// What lies outside the picture: zeros (each of the four neighbours on its own, so that it fades
// out over one pixel), or the nearest border pixel (the coordinate is clamped first).
enum class WarpBorder { kZeros, kClamp };

struct WarpShape {
  int batch = 1;
  int height = 0;
  int width = 0;
  int channels = 0;
};

// On the host: output rows [row_begin, row_end) of the batch * height rows. One thread; callers
// share the rows out. Each output depends on its own inputs alone, however the rows are shared.
void flow_warp_rows(const WarpShape& shape,
                    WarpBorder border,
                    const float* input,
                    const float* flow,
                    float* out,
                    int row_begin,
                    int row_end);

// On the device; queues and returns. Throws Error(kGpu).
void launch_flow_warp(const WarpShape& shape,
                      WarpBorder border,
                      ElementType type,
                      const void* input,
                      const float* flow,
                      void* out,
                      gpu::StreamView stream);

}  // namespace vsr::kernels
