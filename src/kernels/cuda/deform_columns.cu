#include "sampling.cuh"
#include "vsr/kernels/deform_columns.hpp"

namespace vsr::kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kOffsetChannels = 2 * kDeformSamples;

struct Sample {
  float dy;
  float dx;
  float mask;
};

// Offsets and masks out of the raw heads (T [pixels, 432]) and the flows (fp32 [height, width, 2]).
template <typename T>
struct RawHeads {
  const T* heads;
  const float* flow1;
  const float* flow2;

  // `local`: the pixel within the range; `sample`: group * 9 + tap.
  __device__ Sample at(std::int64_t local, std::int64_t pixel, int sample) const {
    const T* head = heads + local * kDeformHeadChannels;
    const float* flow = (sample < kDeformSamples / 2 ? flow1 : flow2) + pixel * 2;
    const float raw_mask = to_float(head[kOffsetChannels + sample]);
    return {kMaxResidue * tanhf(to_float(head[2 * sample])) + flow[1],
            kMaxResidue * tanhf(to_float(head[2 * sample + 1])) + flow[0],
            1.0f / (1.0f + expf(-raw_mask))};
  }
};

// Offsets and masks as given: fp32 [pixels, 144, 2] and [pixels, 144].
struct GivenOffsets {
  const float* offsets;
  const float* masks;

  __device__ Sample at(std::int64_t local, std::int64_t /*pixel*/, int sample) const {
    const float* offset = offsets + (local * kDeformSamples + sample) * 2;
    return {offset[0], offset[1], masks[local * kDeformSamples + sample]};
  }
};

// x1, x2: T [height * width, channels]; columns: T [range, 9, 2 * channels].
// One thread a (pixel, tap, group), groups fastest: a warp writes two whole rows of a column.
template <typename T, typename Source>
__global__ void columns_kernel(DeformShape shape,
                               int map_channels,
                               const T* __restrict__ x1,
                               const T* __restrict__ x2,
                               Source source,
                               T* __restrict__ columns,
                               std::int64_t first_pixel,
                               std::int64_t items) {
  const std::int64_t item = blockIdx.x * static_cast<std::int64_t>(kThreads) + threadIdx.x;
  if (item >= items) return;
  const int group = static_cast<int>(item % kDeformGroups);
  const int tap = static_cast<int>(item / kDeformGroups % kDeformTaps);
  const std::int64_t local = item / kDeformSamples;
  const std::int64_t pixel = first_pixel + local;

  const Sample sample = source.at(local, pixel, group * kDeformTaps + tap);
  const float y = static_cast<float>(pixel / shape.width + tap / 3 - 1) + sample.dy;
  const float x = static_cast<float>(pixel % shape.width + tap % 3 - 1) + sample.dx;
  const Taps taps = taps_at(y, x, shape.height, shape.width);

  const int group_channels = shape.channels / (kDeformGroups / 2);
  const T* map = group < kDeformGroups / 2 ? x1 : x2;
  const int first_channel = group % (kDeformGroups / 2) * group_channels;
  T* out = columns + (local * kDeformTaps + tap) * 2 * shape.channels + group * group_channels;
  for (int i = 0; i < group_channels; ++i) {
    out[i] = from_float<T>(sample.mask * blend(map, map_channels, first_channel + i, taps));
  }
}

template <typename T, typename Source>
void launch(const DeformShape& shape,
            int map_channels,
            const void* x1,
            const void* x2,
            const Source& source,
            void* columns,
            const PixelRange& pixels,
            gpu::StreamView stream) {
  const std::int64_t items = (pixels.end - pixels.begin) * kDeformSamples;
  if (items <= 0) return;
  const LaunchDevice device(stream.device);
  columns_kernel<T, Source>
      <<<blocks_for(items, kThreads), kThreads, 0, static_cast<cudaStream_t>(stream.handle)>>>(
          shape,
          map_channels > 0 ? map_channels : shape.channels,
          static_cast<const T*>(x1),
          static_cast<const T*>(x2),
          source,
          static_cast<T*>(columns),
          pixels.begin,
          items);
  check_launch("deform_columns");
}

}  // namespace

void launch_align_columns(const DeviceAlignInput& input,
                          const PixelRange& pixels,
                          ElementType type,
                          gpu::StreamView stream) {
  with_type(type, [&](auto element) {
    using T = decltype(element);
    const RawHeads<T> source{static_cast<const T*>(input.heads), input.flow1, input.flow2};
    launch<T>(
        input.shape, input.map_channels, input.x1, input.x2, source, input.columns, pixels, stream);
  });
}

void launch_deform_columns(const DeviceDeformInput& input,
                           const PixelRange& pixels,
                           ElementType type,
                           gpu::StreamView stream) {
  with_type(type, [&](auto element) {
    using T = decltype(element);
    const GivenOffsets source{input.offsets, input.masks};
    launch<T>(input.shape, 0, input.x1, input.x2, source, input.columns, pixels, stream);
  });
}

}  // namespace vsr::kernels
