#include "colour_calls.hpp"
#include "cuda/start_kernel.cuh"
#include "cuda/values.cuh"

namespace vsr::kernels {

namespace {

constexpr int kBlockWidth = kWarp;
constexpr int kBlockHeight = 8;

// The chroma samples that make a luma position, and the second one's share.
struct Pair {
  int first;
  int second;
  float share;
};

__device__ inline Pair pair_at(int at, const Neighbours& neighbours, int count) {
  if (!neighbours.halved) return {at, at, 0.0f};
  const int first = at / 2;
  if (at % 2 == 0) return {first, first > 0 ? first - 1 : 0, neighbours.even};
  return {first, first + 1 < count ? first + 1 : first, neighbours.odd};
}

template <typename Sample>
__device__ float sample_at(const PlanesToRgbCall& call, int plane, int y, int x) {
  const auto* row = static_cast<const unsigned char*>(call.planes[plane]) +
                    static_cast<std::int64_t>(y) * call.pitch_bytes[plane];
  return static_cast<float>(reinterpret_cast<const Sample*>(row)[x] >> call.shift_bits);
}

template <typename Sample>
__device__ float chroma_at(const PlanesToRgbCall& call,
                           int plane,
                           const Pair& down,
                           const Pair& across) {
  const auto column = [&](int x) {
    const int at = x * call.chroma_step;
    const float first = sample_at<Sample>(call, plane, down.first, at);
    if (down.share == 0.0f) return first;
    return first * (1.0f - down.share) +
           sample_at<Sample>(call, plane, down.second, at) * down.share;
  };
  const float first = column(across.first);
  const float value = across.share == 0.0f
                          ? first
                          : first * (1.0f - across.share) + column(across.second) * across.share;
  return value - call.chroma_offset;
}

// planes: Sample, as the layout has them, chroma in planes of its own or in turn; rgb: fp32 [3,
// rgb_height, rgb_width], 0..1. One thread a pixel of rgb, a warp 32 in a row; grid (across, down).
template <typename Sample>
__global__ void __launch_bounds__(kBlockWidth* kBlockHeight)
    planes_to_rgb_kernel(const PlanesToRgbCall call, PlaneLayout layout) {
  const int thread = static_cast<int>(threadIdx.x);
  const int x = static_cast<int>(blockIdx.x) * kBlockWidth + thread % kBlockWidth;
  const int y = static_cast<int>(blockIdx.y) * kBlockHeight + thread / kBlockWidth;
  if (x >= call.rgb_width || y >= call.rgb_height) return;
  const int from_x = x < call.width ? x : call.width - 1;
  const int from_y = y < call.height ? y : call.height - 1;
  const auto plain = [&](int plane) {
    return (sample_at<Sample>(call, plane, from_y, from_x) - call.luma_offset) * call.luma_gain;
  };
  float red = plain(0);
  float green = red;
  float blue = red;
  if (layout == PlaneLayout::kRgb) {
    green = plain(1);
    blue = plain(2);
  } else if (layout != PlaneLayout::kGray) {
    const Pair across = pair_at(from_x, call.across, call.chroma_width);
    const Pair down = pair_at(from_y, call.down, call.chroma_height);
    const float u = chroma_at<Sample>(call, 1, down, across);
    const float v = chroma_at<Sample>(call, 2, down, across);
    red += v * call.red_of_v;
    green += u * call.green_of_u + v * call.green_of_v;
    blue += u * call.blue_of_u;
  }
  float* out = call.rgb + static_cast<std::int64_t>(y) * call.row_stride + x;
  out[0] = to_unit(red);
  out[call.plane_stride] = to_unit(green);
  out[2 * call.plane_stride] = to_unit(blue);
}

}  // namespace

void start_planes_to_rgb(const PlanesToRgbCall& call,
                         PlaneLayout layout,
                         int sample_bytes,
                         gpu::StreamView stream) {
  const dim3 grid(blocks_over(call.rgb_width, kBlockWidth),
                  blocks_over(call.rgb_height, kBlockHeight));
  start_kernel(
      "a conversion to RGB",
      sample_bytes == 1 ? planes_to_rgb_kernel<std::uint8_t> : planes_to_rgb_kernel<std::uint16_t>,
      grid,
      kBlockWidth * kBlockHeight,
      0,
      stream,
      call,
      layout);
}

}  // namespace vsr::kernels
