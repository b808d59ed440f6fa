// Bilinear resizing on the host. (On a GPU torch's own serves; on the CPU torch's rounds
// differently by where it cuts the rows between threads.)
#pragma once

namespace vsr::kernels {

// Where output sample i of an axis lies in the input: half-pixel centres, (i + 0.5) * in / out -
// 0.5, or corner samples on corner samples, i * (in - 1) / (out - 1). Limited to the input's
// samples.
enum class ResizeGrid { kHalfPixel, kCorners };

// input [batch, height, width, channels] -> out [batch, out_height, out_width, channels].
struct ResizeShape {
  int batch = 1;
  int height = 0;
  int width = 0;
  int channels = 0;
  int out_height = 0;
  int out_width = 0;
};

// Output rows [row_begin, row_end) of the batch * out_height rows. One thread; callers share the
// rows out. No result depends on how.
void resize_rows(const ResizeShape& shape,
                 ResizeGrid grid,
                 const float* input,
                 float* out,
                 int row_begin,
                 int row_end);

}  // namespace vsr::kernels
