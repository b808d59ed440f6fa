// Blocks of 2x2 pixels as channels, for convolutions of stride 2.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

namespace vsr::kernels {

// fp32 planar [3, 2 height, 2 width] to a map [height, width, 16]: channel (2 dy + dx) * 3 + c,
// then zeros. `type`: kHalf or kBfloat16. Queues and returns. Throws Error(kGpu).
void launch_picture_blocks(const float* picture,
                           int height,
                           int width,
                           void* out,
                           ElementType type,
                           gpu::StreamView stream);

// Map [2 height, 2 width, map_channels], of whose channels the first `channels` count, to a map
// [height, width, 4 * channels rounded up to 16]: channel (2 dy + dx) * channels + c, then zeros.
void launch_space_to_depth(const void* map,
                           int height,
                           int width,
                           int map_channels,
                           int channels,
                           void* out,
                           ElementType type,
                           gpu::StreamView stream);

}  // namespace vsr::kernels
