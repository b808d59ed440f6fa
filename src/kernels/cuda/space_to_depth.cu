#include "cuda/sampling.cuh"
#include "cuda/start_kernel.cuh"
#include "vsr/kernels/conv.hpp"
#include "vsr/kernels/space_to_depth.hpp"

namespace vsr::kernels {

namespace {

constexpr int kThreads = 256;

// One thread a value of out [height, width, out_channels]; value(y, x, c) reads the pixel.
template <typename T, typename Value>
__device__ void to_blocks(
    int height, int width, int channels, int out_channels, T* out, const Value& value) {
  const std::int64_t item = blockIdx.x * static_cast<std::int64_t>(kThreads) + threadIdx.x;
  const std::int64_t pixel = item / out_channels;
  if (pixel >= static_cast<std::int64_t>(height) * width) return;
  const int channel = static_cast<int>(item % out_channels);
  const int place = channel / channels;
  const std::int64_t y = pixel / width * 2 + place / 2;
  const std::int64_t x = pixel % width * 2 + place % 2;
  out[item] = place > 3 ? from_float<T>(0.0f) : value(y, x, channel % channels);
}

template <typename T>
__global__ void picture_blocks_kernel(const float* picture, int height, int width, T* out) {
  to_blocks(height, width, 3, kChannelUnit, out, [&](std::int64_t y, std::int64_t x, int channel) {
    return from_float<T>(
        picture[(channel * 2 * static_cast<std::int64_t>(height) + y) * 2 * width + x]);
  });
}

template <typename T>
__global__ void space_to_depth_kernel(
    const T* map, int height, int width, int map_channels, int channels, int out_channels, T* out) {
  to_blocks(
      height, width, channels, out_channels, out, [&](std::int64_t y, std::int64_t x, int channel) {
        return map[(y * 2 * width + x) * map_channels + channel];
      });
}

dim3 grid_of(int height, int width, int channels) {
  return dim3(blocks_for(static_cast<std::int64_t>(height) * width * channels, kThreads));
}

}  // namespace

void launch_picture_blocks(const float* picture,
                           int height,
                           int width,
                           void* out,
                           ElementType type,
                           gpu::StreamView stream) {
  with_type(type, [&](auto element) {
    using T = decltype(element);
    start_kernel("a picture's blocks",
                 picture_blocks_kernel<T>,
                 grid_of(height, width, kChannelUnit),
                 kThreads,
                 0,
                 stream,
                 picture,
                 height,
                 width,
                 static_cast<T*>(out));
  });
}

void launch_space_to_depth(const void* map,
                           int height,
                           int width,
                           int map_channels,
                           int channels,
                           void* out,
                           ElementType type,
                           gpu::StreamView stream) {
  const int out_channels = padded_channels(4 * channels);
  with_type(type, [&](auto element) {
    using T = decltype(element);
    start_kernel("blocks of a map",
                 space_to_depth_kernel<T>,
                 grid_of(height, width, out_channels),
                 kThreads,
                 0,
                 stream,
                 static_cast<const T*>(map),
                 height,
                 width,
                 map_channels,
                 channels,
                 out_channels,
                 static_cast<T*>(out));
  });
}

}  // namespace vsr::kernels
