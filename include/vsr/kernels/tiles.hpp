// Pictures put together from overlapping tiles, in device memory.
//
// What is put together is held as 16-bit fractions of 1: half the memory of fp32, and finer than
// half floats, of which 10-bit video would see the steps.
#pragma once

#include "vsr/gpu/stream.hpp"

#include <cstdint>

namespace vsr::kernels {

// A tile's R, G and B: [3, height, width], fp32; the width a multiple of 4.
struct TileView {
  const float* data = nullptr;
  int width = 0;
  int height = 0;
  // Its share in the picture's samples: the product of across[x], [width], and down[y], [height].
  const float* across = nullptr;
  const float* down = nullptr;
};

// [3, height, width], 65535 is 1; the width a multiple of 4.
struct GatheredPicture {
  std::uint16_t* data = nullptr;
  int width = 0;
  int height = 0;
};

// Adds the tile's values, clamped to 0..1 and times their shares, to the picture from (x, y) on; x
// a multiple of 4. The picture begins as zeros. A value that is not finite makes *not_finite
// (device memory) 1.
// Queues and returns. Throws Error(kGpu), or Error(kInternal) for what does not fit together.
void launch_add_tile(const TileView& tile,
                     const GatheredPicture& picture,
                     int x,
                     int y,
                     int* not_finite,
                     gpu::StreamView stream);

// `rgb`: [3, height, width], fp32, 0..1.
// Queues and returns. Throws Error(kGpu).
void launch_gathered_to_rgb(const GatheredPicture& picture, float* rgb, gpu::StreamView stream);

}  // namespace vsr::kernels
