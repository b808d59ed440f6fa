// What the network's picture is added to: the frame itself, enlarged.
#pragma once

namespace vsr::kernels {

// Bilinear with half-pixel centres, edges repeated; plane [height, width]; `step` = 1 / scale.
__device__ inline float enlarged(
    const float* plane, int height, int width, float step, int y, int x) {
  const float at_y = fmaxf((static_cast<float>(y) + 0.5f) * step - 0.5f, 0.0f);
  const float at_x = fmaxf((static_cast<float>(x) + 0.5f) * step - 0.5f, 0.0f);
  const int y0 = static_cast<int>(at_y);
  const int x0 = static_cast<int>(at_x);
  const int y1 = y0 + 1 < height ? y0 + 1 : y0;
  const int x1 = x0 + 1 < width ? x0 + 1 : x0;
  const float fy = at_y - static_cast<float>(y0);
  const float fx = at_x - static_cast<float>(x0);
  const float top = (1.0f - fx) * plane[y0 * width + x0] + fx * plane[y0 * width + x1];
  const float bottom = (1.0f - fx) * plane[y1 * width + x0] + fx * plane[y1 * width + x1];
  return (1.0f - fy) * top + fy * bottom;
}

}  // namespace vsr::kernels
