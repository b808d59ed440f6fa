// What a window costs in memory, counted from what generator.cpp keeps and works on.
// Change it with that file; docs/performance.md holds it against measurements.
#include "backends.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/model/tiling.hpp"

#include <algorithm>
#include <cstdint>

namespace vsr::model::reference {

namespace {

constexpr double kMiB = 1 << 20;

// Sizes of one frame: of the input as the network takes it, and of the features of its tile.
struct FrameSize {
  double input_pixels = 0;
  double tile_pixels = 0;
  double feature_pixels = 0;
};

FrameSize frame_size(const NetworkShape& shape, const Tiling& tiling) {
  const double pixels = static_cast<double>(tiling.across.length()) * tiling.down.length();
  const double tile = static_cast<double>(tiling.across.tile()) * tiling.down.tile();
  return {pixels, tile, shape.low_res_input ? tile : tile / 16};
}

}  // namespace

std::uint64_t window_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames) {
  const bool cuda = options.device.cuda;
  const bool small = options.precision == Precision::kFp16 || options.precision == Precision::kBf16;
  const double element = small ? 2 : 4;
  const double c = shape.mid_channels;
  const Tiling tiling = tiling_of(shape, options.input, options.tile);
  const FrameSize size = frame_size(shape, tiling);
  const double upscaled = static_cast<double>(shape.scale()) * shape.scale() * 3 * 4;
  const double map = c * size.feature_pixels * element;  // one feature map
  const double tile = size.tile_pixels * upscaled;       // one upscaled RGB picture of a tile
  const double picture = size.input_pixels * upscaled;   // and a whole one
  const double input = size.input_pixels * 3 * 4;        // one RGB frame

  // Kept for every frame: the frame, its spatial features, the results of three branches, two
  // flows.
  double by_frame = input + 4 * map + 2 * 2 * size.feature_pixels * 4;
  // Of a picture in tiles also the tile's part of it, the whole's flows, and the whole upscaled.
  const double whole_pixels = size.feature_pixels * size.input_pixels / size.tile_pixels;
  if (tiling.count() > 1) {
    by_frame += size.tile_pixels * 3 * 4 + 2 * 2 * whole_pixels * 4 + picture;
  }

  // At work on one frame, whichever part needs most.
  const double flow = 2 * whole_pixels * ((32 + 64) * element + 30 * 4);
  const double band = cuda ? 512 * kMiB : 8 * kMiB + 2 * 256 * 18 * c * 4;
  const double align =
      9 * map + std::min(band, size.feature_pixels * (432 + 18 * c) * element) + 4 * input;
  const double branch = 10 * map;
  const double tail_map = 16 * size.feature_pixels * 64 * element;
  const double tail = 9 * map + 3 * std::min(tail_map, (cuda ? 1024 : 12) * kMiB);
  const double made = tiling.count() > 1 ? 2 * tile : tile;  // tiles also times their shares
  // The picture, its base, and the conversion to samples with its intermediate planes.
  const double conversion = 5 * picture;
  const double working = std::max({flow, align, branch, tail + made, conversion + 6 * map});

  // The context, and what the allocator rounds and splits. Algorithms of cuDNN bring workspaces of
  // their own, in fp32 as large as the maps: measured on an H100 at 1024x432, c64 n7, with windows
  // of 25 and 100 frames, in fp16 and fp32.
  const double overhead = (cuda ? 512 : 64) * kMiB;
  const double working_share = !cuda ? 1.05 : small ? 1.25 : 2.35;
  const double by_frame_share = cuda ? 1.0 : 1.05;
  const double total = network_parameters(shape) * element + overhead + working_share * working +
                       by_frame_share * by_frame * frames;
  return static_cast<std::uint64_t>(total);
}

}  // namespace vsr::model::reference
