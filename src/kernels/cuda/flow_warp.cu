#include "sampling.cuh"
#include "vsr/kernels/flow_warp.hpp"

namespace vsr::kernels {

namespace {

constexpr int kThreads = 256;

// input, out: T [batch, height, width, channels]; flow: fp32 [batch, height, width, 2].
// One thread a value, channels fastest: neighbours in a warp read neighbouring addresses.
template <typename T>
__global__ void flow_warp_kernel(WarpShape shape,
                                 bool clamp,
                                 const T* __restrict__ input,
                                 const float* __restrict__ flow,
                                 T* __restrict__ out,
                                 std::int64_t values) {
  const std::int64_t index = blockIdx.x * static_cast<std::int64_t>(kThreads) + threadIdx.x;
  if (index >= values) return;
  const int channel = static_cast<int>(index % shape.channels);
  const std::int64_t pixel = index / shape.channels;
  const int picture_pixels = shape.height * shape.width;
  const int picture = static_cast<int>(pixel / picture_pixels);
  const int within = static_cast<int>(pixel % picture_pixels);
  float y = static_cast<float>(within / shape.width) + flow[pixel * 2 + 1];
  float x = static_cast<float>(within % shape.width) + flow[pixel * 2];
  if (clamp) {
    y = fminf(fmaxf(y, 0.0f), static_cast<float>(shape.height - 1));
    x = fminf(fmaxf(x, 0.0f), static_cast<float>(shape.width - 1));
  }
  const Taps taps = taps_at(y, x, shape.height, shape.width);
  const T* map = input + static_cast<std::int64_t>(picture) * picture_pixels * shape.channels;
  out[index] = from_float<T>(blend(map, shape.channels, channel, taps));
}

}  // namespace

void launch_flow_warp(const WarpShape& shape,
                      WarpBorder border,
                      ElementType type,
                      const void* input,
                      const float* flow,
                      void* out,
                      gpu::StreamView stream) {
  const std::int64_t values =
      static_cast<std::int64_t>(shape.batch) * shape.height * shape.width * shape.channels;
  if (values == 0) return;
  const LaunchDevice device(stream.device);
  with_type(type, [&](auto element) {
    using T = decltype(element);
    flow_warp_kernel<T>
        <<<blocks_for(values, kThreads), kThreads, 0, static_cast<cudaStream_t>(stream.handle)>>>(
            shape,
            border == WarpBorder::kClamp,
            static_cast<const T*>(input),
            flow,
            static_cast<T*>(out),
            values);
  });
  check_launch("flow_warp");
}

}  // namespace vsr::kernels
