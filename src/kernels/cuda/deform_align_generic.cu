#include "cuda/deform_align.hpp"
#include "cuda/deform_samples.cuh"
#include "cuda/mma.cuh"
#include "cuda/sampling.cuh"
#include "cuda/start_kernel.cuh"
#include "vsr/kernels/deform_align.hpp"

namespace vsr::kernels {

// Note [Deformable alignment]
// A block makes 16 x 8 pixels. Its sum over 9 taps x (x1, x2) x channels goes in 18 steps, a tap of
// one source each: the threads gather the step's samples of all pixels (columns, [pixel][channel])
// into shared memory, then the warps multiply them with the step's weights. Columns and weights
// have two buffers: while the warps multiply one step, the loads of the next are under way, and the
// offsets of the one after that. A thread gathers for one group of eight neighbouring ones, since
// these read neighbouring channels of nearby pixels.

namespace {

constexpr int kTileWidth = 16;
constexpr int kTileHeight = 8;
constexpr int kPixels = kTileWidth * kTileHeight;
constexpr int kThreads = 256;
constexpr int kGroups = kDeformGroups / 2;  // a step
constexpr int kItems = kPixels * kGroups / kThreads;
constexpr int kSteps = kDeformTaps * 2;

template <int kChannels>
struct Tile {
  // Rows of one pixel's or one output's channels; 16 bytes more put eight rows into different
  // banks.
  static constexpr int kRowBytes = kChannels * 2 + 16;
  static constexpr int kColumnBytes = kPixels * kRowBytes;
  static constexpr int kWeightBytes = kChannels * kRowBytes;
  static constexpr int kSharedBytes = 2 * (kColumnBytes + kWeightBytes);
  static constexpr int kGroupChannels = kChannels / kGroups;
  static constexpr int kPairs = kGroupChannels / 2;
  // 4 x 2 warps: 32 pixels x half of the outputs each.
  static constexpr int kOut = kChannels / 2;
};

// Sum over the four neighbours, by pairs of channels.
template <int kPairs>
__device__ Samples<kPairs> mix(const Samples<kPairs> (&corners)[4],
                               const float (&weights)[4],
                               __half) {
  Samples<kPairs> out;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const auto pair = [&](int corner) {
      return *reinterpret_cast<const __half2*>(&corners[corner].pairs[i]);
    };
    __half2 sum = __hmul2(__float2half2_rn(weights[0]), pair(0));
#pragma unroll
    for (int c = 1; c < 4; ++c) sum = __hfma2(__float2half2_rn(weights[c]), pair(c), sum);
    out.pairs[i] = *reinterpret_cast<const std::uint32_t*>(&sum);
  }
  return out;
}

// 10 * tanh(x), to about 1e-6; right at the infinities.
__device__ inline float residue(float x) {
  return kMaxResidue - __fdividef(2.0f * kMaxResidue, 1.0f + __expf(2.0f * x));
}

template <typename T, int kChannels>
__global__ void __launch_bounds__(kThreads, 2) deform_align_kernel(const DeformAlignCall call) {
  using Shape = Tile<kChannels>;
  constexpr int kPairs = Shape::kPairs;
  constexpr int kParts = kChannels * 2 / 16;
  unsigned char* const columns = shared_memory();
  unsigned char* const weights = columns + 2 * Shape::kColumnBytes;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int height = call.shape.height;
  const int width = call.shape.width;
  const int first_x = static_cast<int>(blockIdx.x) * kTileWidth;
  const int first_y = static_cast<int>(blockIdx.y) * kTileHeight;
  const int group = thread % kGroups;
  const bool one_source = call.x2 == nullptr;

  // This thread's pixels; those beyond the picture repeat its edge and are not stored.
  int pixel_y[kItems];
  int pixel_x[kItems];
  float flow[kItems][2][2];
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    const int local = thread / kGroups + i * (kThreads / kGroups);
    pixel_y[i] = min(first_y + local / kTileWidth, height - 1);
    pixel_x[i] = min(first_x + local % kTileWidth, width - 1);
    const std::int64_t pixel = static_cast<std::int64_t>(pixel_y[i]) * width + pixel_x[i];
    const float2 flow1 = reinterpret_cast<const float2*>(call.flow1)[pixel];
    const float2 flow2 =
        one_source ? float2{0, 0} : reinterpret_cast<const float2*>(call.flow2)[pixel];
    flow[i][0][0] = flow1.x;
    flow[i][0][1] = flow1.y;
    flow[i][1][0] = flow2.x;
    flow[i][1][1] = flow2.y;
  }

  struct Head {
    std::uint32_t offset;
    T mask;
  };

  Head heads[kItems];
  const auto load_heads = [&](int step) {
    const DeformHeadPlace place = deform_head_place(step % 2 * kDeformTaps + step / 2, group);
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const T* from =
          static_cast<const T*>(call.heads) +
          (static_cast<std::int64_t>(pixel_y[i]) * width + pixel_x[i]) * kDeformHeadChannels;
      heads[i].offset = __ldg(reinterpret_cast<const std::uint32_t*>(from + place.offset));
      heads[i].mask = from[place.mask];
    }
  };

  struct Gathered {
    Samples<kPairs> corners[4];
    float weights[4];
  };

  const auto gather = [&](int step, int i) {
    const int tap = step / 2;
    const int source = step % 2;
    const T* offset = reinterpret_cast<const T*>(&heads[i].offset);
    const float y = static_cast<float>(pixel_y[i] + tap / 3 - 1) + residue(to_float(offset[0])) +
                    (source == 0 ? flow[i][0][1] : flow[i][1][1]);
    const float x = static_cast<float>(pixel_x[i] + tap % 3 - 1) + residue(to_float(offset[1])) +
                    (source == 0 ? flow[i][0][0] : flow[i][1][0]);
    const float mask = __fdividef(1.0f, 1.0f + __expf(-to_float(heads[i].mask)));
    const Taps taps = taps_at(y, x, height, width);
    const T* map =
        static_cast<const T*>(source == 0 ? call.x1 : call.x2) + group * Shape::kGroupChannels;
    Gathered gathered;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      gathered.corners[c] = *reinterpret_cast<const Samples<kPairs>*>(
          map + static_cast<std::int64_t>(taps.pixel[c]) * kChannels);
      gathered.weights[c] = taps.weight[c] * mask;
    }
    return gathered;
  };
  const auto put = [&](int buffer, int i, const Gathered& gathered) {
    const int local = thread / kGroups + i * (kThreads / kGroups);
    unsigned char* to = columns + buffer * Shape::kColumnBytes + local * Shape::kRowBytes +
                        group * Shape::kGroupChannels * 2;
    *reinterpret_cast<Samples<kPairs>*>(to) = mix<kPairs>(gathered.corners, gathered.weights, T{});
  };
  const auto bring_weights = [&](int step, int buffer) {
    const T* from = static_cast<const T*>(call.weights) + step * kChannels * kChannels;
    unsigned char* to = weights + buffer * Shape::kWeightBytes;
    for (int i = thread; i < kChannels * kParts; i += kThreads) {
      copy_16_async(to + i / kParts * Shape::kRowBytes + i % kParts * 16, from + i * 8, true);
    }
    commit_copies();
  };

  const int warp_pixel = warp / 2 * 32;
  const int warp_out = warp % 2 * Shape::kOut;
  float sums[2][Shape::kOut / 8][4] = {};
  const auto multiply = [&](int buffer, int k) {
    const unsigned char* step_columns = columns + buffer * Shape::kColumnBytes;
    const unsigned char* step_weights = weights + buffer * Shape::kWeightBytes;
    std::uint32_t a[2][4];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      load_matrices(a[m],
                    step_columns + (warp_pixel + m * 16 + lane % 16) * Shape::kRowBytes + k * 32 +
                        lane / 16 * 16);
    }
#pragma unroll
    for (int n = 0; n < Shape::kOut / 16; ++n) {
      std::uint32_t b[4];
      const int row = warp_out + n * 16 + lane % 8 + lane / 16 * 8;
      load_matrices(b, step_weights + row * Shape::kRowBytes + k * 32 + lane / 8 % 2 * 16);
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        multiply_add<T>(sums[m][2 * n], a[m], {b[0], b[1]});
        multiply_add<T>(sums[m][2 * n + 1], a[m], {b[2], b[3]});
      }
    }
  };

  // Without x2 its steps add nothing and are left out.
  const int stride = one_source ? 2 : 1;
  bring_weights(0, 0);
  load_heads(0);
  for (int i = 0; i < kItems; ++i) put(0, i, gather(0, i));
  if (stride < kSteps) load_heads(stride);
  wait_for_copies<0>();
  __syncthreads();
  constexpr int kProducts = kChannels / 16;
  for (int step = 0; step < kSteps; step += stride) {
    const int buffer = step / stride % 2;
    const int next = step + stride;
    if (next < kSteps) {
      const int next_buffer = 1 - buffer;
      bring_weights(next, next_buffer);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const Gathered first = gather(next, 2 * half);
        const Gathered second = gather(next, 2 * half + 1);
#pragma unroll
        for (int k = half * kProducts / 2; k < (half + 1) * kProducts / 2; ++k) multiply(buffer, k);
        put(next_buffer, 2 * half, first);
        put(next_buffer, 2 * half + 1, second);
      }
      if (next + stride < kSteps) load_heads(next + stride);
    } else {
#pragma unroll
      for (int k = 0; k < kProducts; ++k) multiply(buffer, k);
    }
    wait_for_copies<0>();
    __syncthreads();
  }

  // Through shared memory once more, so that stores are whole.
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int n = 0; n < Shape::kOut / 8; ++n) {
      const int out = warp_out + n * 8 + lane % 4 * 2;
      const float bias[2] = {call.bias[out], call.bias[out + 1]};
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int pixel = warp_pixel + m * 16 + lane / 4 + half * 8;
        T* to = reinterpret_cast<T*>(columns + pixel * Shape::kRowBytes) + out;
        to[0] = from_float<T>(sums[m][n][2 * half] + bias[0]);
        to[1] = from_float<T>(sums[m][n][2 * half + 1] + bias[1]);
      }
    }
  }
  __syncthreads();
  for (int i = thread; i < kPixels * kParts; i += kThreads) {
    const int pixel = i / kParts;
    const int y = first_y + pixel / kTileWidth;
    const int x = first_x + pixel % kTileWidth;
    if (y >= height || x >= width) continue;
    const auto* from = columns + pixel * Shape::kRowBytes + i % kParts * 16;
    auto* to = static_cast<unsigned char*>(call.out) +
               (static_cast<std::int64_t>(y) * width + x) * kChannels * 2 + i % kParts * 16;
    *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
  }
}

}  // namespace

template <typename T>
void align_generic(const DeformAlignCall& call, gpu::StreamView stream) {
  const dim3 grid(static_cast<unsigned>((call.shape.width + kTileWidth - 1) / kTileWidth),
                  static_cast<unsigned>((call.shape.height + kTileHeight - 1) / kTileHeight));
  const auto start = [&](auto kernel, int shared_bytes) {
    start_kernel("deformable alignment", kernel, grid, kThreads, shared_bytes, stream, call);
  };
  if (call.shape.channels == 64) {
    return start(deform_align_kernel<T, 64>, Tile<64>::kSharedBytes);
  }
  start(deform_align_kernel<T, 32>, Tile<32>::kSharedBytes);
}

template void align_generic<__half>(const DeformAlignCall&, gpu::StreamView);
template void align_generic<__nv_bfloat16>(const DeformAlignCall&, gpu::StreamView);

}  // namespace vsr::kernels
