// What a window costs in memory, counted from what generator.cpp keeps and works on.
// Change it with that file; docs/performance.md holds it against measurements.
#include "backends.hpp"
#include "vsr/model/cost.hpp"

#include <algorithm>
#include <cstdint>

namespace vsr::model::reference {

namespace {

constexpr double kMiB = 1 << 20;

// Sizes of one frame: of the input as the network takes it, and of its features.
struct FrameSize {
  double input_pixels = 0;
  double feature_pixels = 0;
};

FrameSize frame_size(const NetworkShape& shape, const PictureFormat& input) {
  const int least = shape.low_res_input ? 64 : 256;
  const int multiple = shape.low_res_input ? 1 : 4;
  const auto padded = [&](int size) {
    return static_cast<double>(std::max((size + multiple - 1) / multiple * multiple, least));
  };
  const double pixels = padded(input.width) * padded(input.height);
  return {pixels, shape.low_res_input ? pixels : pixels / 16};
}

}  // namespace

std::uint64_t window_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames) {
  const bool cuda = options.device.cuda;
  const bool small = options.precision == Precision::kFp16 || options.precision == Precision::kBf16;
  const double element = small ? 2 : 4;
  const double c = shape.mid_channels;
  const FrameSize size = frame_size(shape, options.input);
  const double map = c * size.feature_pixels * element;     // one feature map
  const double picture = 16 * size.feature_pixels * 3 * 4;  // one upscaled RGB picture
  const double input = size.input_pixels * 3 * 4;           // one RGB frame

  // Kept for every frame: the frame, its spatial features, the results of three branches, two
  // flows.
  const double by_frame = input + 4 * map + 2 * 2 * size.feature_pixels * 4;

  // At work on one frame, whichever part needs most.
  const double flow = 2 * size.feature_pixels * ((32 + 64) * element + 30 * 4);
  const double band = cuda ? 512 * kMiB : 8 * kMiB + 2 * 256 * 18 * c * 4;
  const double align =
      9 * map + std::min(band, size.feature_pixels * (432 + 18 * c) * element) + 4 * input;
  const double branch = 10 * map;
  const double tail_map = 16 * size.feature_pixels * 64 * element;
  const double tail = 9 * map + 3 * std::min(tail_map, (cuda ? 1024 : 12) * kMiB);
  // The picture, its base, and the conversion to samples with its intermediate planes.
  const double conversion = 5 * picture;
  const double working = std::max({flow, align, branch, tail + picture, conversion + 6 * map});

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
