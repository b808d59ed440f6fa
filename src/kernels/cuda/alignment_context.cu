#include "cuda/eight.cuh"
#include "cuda/sampling.cuh"
#include "cuda/start_kernel.cuh"
#include "vsr/kernels/alignment_context.hpp"

namespace vsr::kernels {

namespace {

constexpr int kThreads = 256;

// Channels [8 * part, 8 * part + 8) of the sample.
template <typename T>
__device__ Eight<T> blend_eight(const void* map, int channels, int part, const Taps& taps) {
  float sums[8] = {};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const auto corner =
        load_eight<T>(map, static_cast<std::int64_t>(taps.pixel[i]) * channels + 8 * part);
#pragma unroll
    for (int c = 0; c < 8; ++c) sums[c] += taps.weight[i] * to_float(corner.values[c]);
  }
  return narrow_eight<T>(sums);
}

// One thread for eight channels of a pixel; the first of a pixel writes its flows.
template <typename T>
__global__ void alignment_context_kernel(const AlignmentContextCall call) {
  follow_previous_kernel();
  const int parts = call.channels / 8;
  const std::int64_t item = blockIdx.x * static_cast<std::int64_t>(kThreads) + threadIdx.x;
  const std::int64_t pixel = item / parts;
  const int part = static_cast<int>(item % parts);
  if (pixel >= static_cast<std::int64_t>(call.height) * call.width) return;
  const auto y = static_cast<float>(pixel / call.width);
  const auto x = static_cast<float>(pixel % call.width);

  const float2 flow1 = reinterpret_cast<const float2*>(call.flow1)[pixel];
  const Taps taps1 = taps_at(y + flow1.y, x + flow1.x, call.height, call.width);
  store_eight<T>(call.warped1,
                 pixel * call.channels + 8 * part,
                 blend_eight<T>(call.x1, call.channels, part, taps1));
  float2 flow2{0, 0};
  if (call.x2 != nullptr) {
    flow2 = flow1;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 further = reinterpret_cast<const float2*>(call.flow_t1_t2)[taps1.pixel[i]];
      flow2.x += taps1.weight[i] * further.x;
      flow2.y += taps1.weight[i] * further.y;
    }
    const Taps taps2 = taps_at(y + flow2.y, x + flow2.x, call.height, call.width);
    store_eight<T>(call.warped2,
                   pixel * call.channels + 8 * part,
                   blend_eight<T>(call.x2, call.channels, part, taps2));
  }
  if (part != 0) return;
  if (call.x2 != nullptr) reinterpret_cast<float2*>(call.flow2)[pixel] = flow2;
  const float values[8] = {flow1.x, flow1.y, flow2.x, flow2.y};
  store_eight<T>(call.flow_map, pixel * kFlowMapChannels, narrow_eight<T>(values));
  store_eight<T>(call.flow_map, pixel * kFlowMapChannels + 8, Eight<T>{});
}

}  // namespace

void launch_alignment_context(const AlignmentContextCall& call,
                              ElementType type,
                              gpu::StreamView stream) {
  const std::int64_t items =
      static_cast<std::int64_t>(call.height) * call.width * (call.channels / 8);
  const dim3 grid(blocks_for(items, kThreads));
  if (type == ElementType::kHalf) {
    return start_kernel_early("the alignment's context",
                              alignment_context_kernel<__half>,
                              grid,
                              kThreads,
                              0,
                              stream,
                              call);
  }
  if (type == ElementType::kBfloat16) {
    return start_kernel_early("the alignment's context",
                              alignment_context_kernel<__nv_bfloat16>,
                              grid,
                              kThreads,
                              0,
                              stream,
                              call);
  }
  refuse("the alignment's context is made in half or bfloat16");
}

}  // namespace vsr::kernels
