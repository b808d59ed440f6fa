#include "cuda/deform_align.hpp"
#include "cuda/deform_samples.cuh"
#include "cuda/hopper.cuh"
#include "cuda/sampling.cuh"
#include "cuda/start_kernel.cuh"

namespace vsr::kernels {

// Note [Samples in registers]
// The sum over 2 sources x 9 taps x channels goes in steps, a tap of one source each: 64 pixels by
// the source's channels, times the step's weights. A warpgroup makes 64 pixels (8 x 8), and its
// threads gather samples straight into the registers that wgmma takes its left matrix from: the
// matrix's layout gives a thread (row r = lane / 4, column pair q = lane % 4) a few columns of rows
// r and r + 8, and since a sum does not mind its order, these columns are numbered so that they are
// groups q and q + 4 of the pixels r and r + 8, whole. So samples never pass through shared memory,
// and warps meet nowhere but in the product.
//
// All steps' weights lie in shared memory from the start, so a block is as large as the
// multiprocessor and goes from tile to tile. What is left of shared memory caches the maps: heads,
// which are read once, pass by it.
//
// An even row's threads take group q first and an odd row's q + 4: eight threads, which the cache
// serves at a time, then touch all of its banks wherever their samples lie.
//
// The kernel does not start early, unlike those around it: it would begin on a multiprocessor that
// is still divided for the convolution before it, with next to nothing left for a cache, and stay
// so to its end (twice as slow).

namespace {

using namespace hopper;

constexpr int kTile = 8;        // pixels each way: 64 rows of the product
constexpr int kWarpgroups = 3;  // a fourth would have to spill
constexpr int kThreads = 128 * kWarpgroups;
constexpr int kGroups = kDeformGroups / 2;
constexpr int kPixels = 2;  // a thread, one above the other
constexpr int kUnits = 2;   // groups a thread

template <int kChannels>
struct Shape {
  static constexpr int kRowBytes = 2 * kChannels;
  static constexpr int kStepBytes = kChannels * kRowBytes;
  static constexpr int kWeightBytes = 2 * kDeformTaps * kStepBytes;
  static constexpr int kSharedBytes = 1024 + kWeightBytes + 8;
  static constexpr int kGroupBytes = kRowBytes / kGroups;
  static constexpr int kPairs = kChannels / kGroups / 2;
  static constexpr int kSums = kChannels / 2;  // a thread
};

// Heads of two samples of a thread's two groups.
struct Heads {
  uint4 offsets;  // [sample][group][y, x]
  uint2 masks;    // [sample][group]
};

constexpr int kTwoHeads = 2 * 3 * kGroups;  // of all groups

// What is read once leaves the cache to the maps.
template <typename Value>
__device__ Value load_once(const void* from);

template <>
__device__ inline uint4 load_once<uint4>(const void* from) {
  uint4 value;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
      : "l"(from));
  return value;
}

template <>
__device__ inline uint2 load_once<uint2>(const void* from) {
  uint2 value;
  asm("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];"
      : "=r"(value.x), "=r"(value.y)
      : "l"(from));
  return value;
}

__device__ inline void prefetch(const void* at) {
  asm volatile("prefetch.global.L1 [%0];\n" ::"l"(at));
}

// The four neighbours of a sample and their weights, (up, down) x (left, right).
template <typename T, int kPairs>
struct Gathered;

template <int kPairs>
struct Gathered<__half, kPairs> {
  Samples<kPairs> corners[4];
  __half2 weights[2];

  __device__ void weigh(float a, float b, float c, float d) {
    weights[0] = __floats2half2_rn(a, b);
    weights[1] = __floats2half2_rn(c, d);
  }
};

template <int kPairs>
struct Gathered<__nv_bfloat16, kPairs> {
  Samples<kPairs> corners[4];
  float weights[4];

  __device__ void weigh(float a, float b, float c, float d) {
    weights[0] = a;
    weights[1] = b;
    weights[2] = c;
    weights[3] = d;
  }
};

__device__ inline float tanh_of(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <int kPairs>
__device__ Samples<kPairs> mix(const Gathered<__half, kPairs>& from) {
  const __half2 up = from.weights[0];
  const __half2 down = from.weights[1];
  Samples<kPairs> out;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const auto pair = [&](int corner) {
      return *reinterpret_cast<const __half2*>(&from.corners[corner].pairs[i]);
    };
    __half2 sum = __hmul2(__low2half2(up), pair(0));
    sum = __hfma2(__high2half2(up), pair(1), sum);
    sum = __hfma2(__low2half2(down), pair(2), sum);
    sum = __hfma2(__high2half2(down), pair(3), sum);
    out.pairs[i] = *reinterpret_cast<const std::uint32_t*>(&sum);
  }
  return out;
}

template <int kPairs>
__device__ Samples<kPairs> mix(const Gathered<__nv_bfloat16, kPairs>& from) {
  return mix(from.corners, from.weights, __nv_bfloat16{});
}

// Note [Floor by adding]
// A number plus 1.5 * 2^23, rounded down, has the number's floor in its low bits: the coordinate's
// integer part is a subtraction of bits and needs no conversion. It holds up to 2^22; beyond, and
// for what is no number, the bits are far from any pixel's, so that such a sample counts as
// outside.
constexpr float kWhole = 12582912.0f;

// A source at the channels of a thread's first group.
struct Source {
  const unsigned char* map;
  int height;
  int width;
  int pixel_bytes;
};

template <typename T, int kPairs>
__device__ Gathered<T, kPairs> gather(const Source& from, float y, float x, float mask) {
  const float y_whole = __fadd_rd(y, kWhole);
  const float x_whole = __fadd_rd(x, kWhole);
  const int row = __float_as_int(y_whole) - __float_as_int(kWhole);
  const int column = __float_as_int(x_whole) - __float_as_int(kWhole);
  Gathered<T, kPairs> out;
  // Nearly every warp has all its neighbours inside the picture.
  const bool inside = static_cast<unsigned>(row) < static_cast<unsigned>(from.height - 1) &&
                      static_cast<unsigned>(column) < static_cast<unsigned>(from.width - 1);
  if (__all_sync(0xffffffffu, inside)) {
    const float fy = y - (y_whole - kWhole);
    const float fx = x - (x_whole - kWhole);
    const unsigned char* const up =
        from.map + static_cast<std::int64_t>(row * from.width + column) * from.pixel_bytes;
    const unsigned char* const down = up + from.width * from.pixel_bytes;
    out.corners[0] = *reinterpret_cast<const Samples<kPairs>*>(up);
    out.corners[1] = *reinterpret_cast<const Samples<kPairs>*>(up + from.pixel_bytes);
    out.corners[2] = *reinterpret_cast<const Samples<kPairs>*>(down);
    out.corners[3] = *reinterpret_cast<const Samples<kPairs>*>(down + from.pixel_bytes);
    const float lower = mask * fy;
    const float upper = mask - lower;
    const float upper_right = upper * fx;
    const float lower_right = lower * fx;
    out.weigh(upper - upper_right, upper_right, lower - lower_right, lower_right);
  } else {
    const Taps taps = taps_at(y, x, from.height, from.width);
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      out.corners[c] = *reinterpret_cast<const Samples<kPairs>*>(
          from.map + static_cast<std::int64_t>(taps.pixel[c]) * from.pixel_bytes);
    }
    out.weigh(
        taps.weight[0] * mask, taps.weight[1] * mask, taps.weight[2] * mask, taps.weight[3] * mask);
  }
  return out;
}

template <typename T, int kChannels>
__global__ void __launch_bounds__(kThreads, 1)
    align_hopper_kernel(const DeformAlignCall call, int tiles_across, int tiles) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  using Form = Shape<kChannels>;
  constexpr int kPairs = Form::kPairs;
  extern __shared__ unsigned char memory[];
  const std::uint32_t weights = (shared_address(memory) + 1023u) & ~1023u;
  const std::uint32_t barrier = weights + Form::kWeightBytes;
  if (threadIdx.x == 0) {
    init_barrier(barrier, 1);
    fence_barriers();
    arrive_expecting(barrier, Form::kWeightBytes);
#pragma unroll 1
    for (int step = 0; step < 2 * kDeformTaps; ++step) {
      load_bytes(weights + step * Form::kStepBytes,
                 static_cast<const unsigned char*>(call.weights) + step * Form::kStepBytes,
                 Form::kStepBytes,
                 barrier);
    }
  }
  __syncthreads();
  let_next_kernel_start();
  wait(barrier, 0);

  const int warp = static_cast<int>(threadIdx.x) / 32 % 4;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int q = lane % 4;
  const bool odd = lane / 4 % 2 != 0;
  const int height = call.shape.height;
  const int width = call.shape.width;
  const int sources = call.x2 == nullptr ? 1 : 2;
  const int samples = sources * kDeformTaps;

  // This thread's pixels of a tile; those beyond the picture repeat its edge and are not stored.
  const auto own_x = [&](int tile) { return tile % tiles_across * kTile + lane / 4; };
  const auto own_y = [&](int tile, int p) {
    return tile / tiles_across * kTile + warp * kPixels + p;
  };
  const auto pixel_of = [&](int tile, int p) {
    return min(own_y(tile, p), height - 1) * width + min(own_x(tile), width - 1);
  };
  const T* heads[kPixels];
  Heads next[kPixels];
  const auto load_heads = [&](int two) {
#pragma unroll
    for (int p = 0; p < kPixels; ++p) {
      next[p].offsets = load_once<uint4>(heads[p] + two * kTwoHeads + q * 8);
      next[p].masks = load_once<uint2>(heads[p] + two * kTwoHeads + 4 * 8 + q * 4);
    }
  };
  // Has a tile's first heads and its flows on their way.
  const auto prepare = [&](int tile) {
#pragma unroll
    for (int p = 0; p < kPixels; ++p) {
      const std::int64_t pixel = pixel_of(tile, p);
      heads[p] = static_cast<const T*>(call.heads) + pixel * kDeformHeadChannels;
      prefetch(call.flow1 + 2 * pixel);
      if (sources == 2) prefetch(call.flow2 + 2 * pixel);
    }
    load_heads(0);
  };

  const int stride = static_cast<int>(gridDim.x) * kWarpgroups;
  const int first =
      static_cast<int>(blockIdx.x) * kWarpgroups + static_cast<int>(threadIdx.x) / 128;
  if (first < tiles) prepare(first);
  for (int tile = first; tile < tiles; tile += stride) {
    float base[2][kPixels][2];  // [source][pixel][y, x], of the tap above and to the left
#pragma unroll
    for (int p = 0; p < kPixels; ++p) {
      const int pixel = pixel_of(tile, p);
#pragma unroll
      for (int source = 0; source < 2; ++source) {
        const auto* flows = reinterpret_cast<const float2*>(source == 0 ? call.flow1 : call.flow2);
        const float2 flow = source < sources ? __ldg(flows + pixel) : float2{0, 0};
        base[source][p][0] = static_cast<float>(min(own_y(tile, p), height - 1) - 1) + flow.y;
        base[source][p][1] = static_cast<float>(min(own_x(tile), width - 1) - 1) + flow.x;
      }
    }

    float sums[Form::kSums];
    std::uint32_t a[kChannels / 16][4];
    for (int two = 0; 2 * two < samples; ++two) {
      Heads now[kPixels];
#pragma unroll
      for (int p = 0; p < kPixels; ++p) now[p] = next[p];
      if (2 * two + 2 < samples) {
        load_heads(two + 1);
      } else if (tile + stride < tiles) {
        prepare(tile + stride);
      }
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        const int sample = 2 * two + s;
        if (sample == samples) break;
        const int source = sample < kDeformTaps ? 0 : 1;
        const int tap = sample - source * kDeformTaps;
        const float tap_y = static_cast<float>(tap / 3);
        const float tap_x = static_cast<float>(tap % 3);
        const auto* const map = static_cast<const unsigned char*>(source == 0 ? call.x1 : call.x2) +
                                q * Form::kGroupBytes;
        Gathered<T, kPairs> gathered[kUnits];
        const auto gather_pixel = [&](int p) {
          const float y = (source == 0 ? base[0][p][0] : base[1][p][0]) + tap_y;
          const float x = (source == 0 ? base[0][p][1] : base[1][p][1]) + tap_x;
#pragma unroll
          for (int v = 0; v < kUnits; ++v) {
            const T* const offset = reinterpret_cast<const T*>(&now[p].offsets) + s * 4;
            const T* const mask = reinterpret_cast<const T*>(&now[p].masks) + s * 2;
            const T dy = odd ? offset[(v ^ 1) * 2] : offset[v * 2];
            const T dx = odd ? offset[(v ^ 1) * 2 + 1] : offset[v * 2 + 1];
            const T m = odd ? mask[v ^ 1] : mask[v];
            const int unit = odd ? v ^ 1 : v;
            gathered[v] = gather<T, kPairs>(
                {map + unit * 4 * Form::kGroupBytes, height, width, Form::kRowBytes},
                fmaf(kMaxResidue, tanh_of(to_float(dy)), y),
                fmaf(kMaxResidue, tanh_of(to_float(dx)), x),
                fmaf(0.5f, tanh_of(0.5f * to_float(m)), 0.5f));
          }
        };
        const auto mix_pixel = [&](int p) {
          Samples<kPairs> mixed[kUnits];
#pragma unroll
          for (int u = 0; u < kUnits; ++u) mixed[u] = mix(gathered[u]);
#pragma unroll
          for (int u = 0; u < kUnits; ++u) {
#pragma unroll
            for (int i = 0; i < kPairs; ++i) {
              const int pair = u * kPairs + i;
              a[pair / 2][pair % 2 * 2 + p] = odd ? mixed[u ^ 1].pairs[i] : mixed[u].pairs[i];
            }
          }
        };
        gather_pixel(0);
        // The last step's product still reads the registers.
        wait_for_products<0>();
        mix_pixel(0);
        gather_pixel(1);
        mix_pixel(1);
        begin_products();
#pragma unroll
        for (int k = 0; k < kChannels / 16; ++k) {
          multiply_add<T>(
              sums,
              a[k],
              pixels_descriptor<Form::kRowBytes>(weights + sample * Form::kStepBytes + k * 32),
              sample > 0 || k > 0);
        }
        commit_products();
      }
    }
    wait_for_products<0>();
    fence_sums(sums);

    // A thread has a quarter of its pixels' outputs.
    constexpr int kOutputs = kChannels / 4;
#pragma unroll
    for (int p = 0; p < kPixels; ++p) {
      if (own_x(tile) >= width || own_y(tile, p) >= height) continue;
      alignas(16) T outputs[kOutputs];
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) {
        outputs[i] =
            from_float<T>(sums[i / 2 * 4 + p * 2 + i % 2] + __ldg(call.bias + q * kOutputs + i));
      }
      auto* const to = static_cast<T*>(call.out) +
                       static_cast<std::int64_t>(pixel_of(tile, p)) * kChannels + q * kOutputs;
#pragma unroll
      for (int i = 0; i < kOutputs / 8; ++i) {
        reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(outputs)[i];
      }
    }
  }
#endif
}

template <typename T, int kChannels>
void start(const DeformAlignCall& call, gpu::StreamView stream) {
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, stream.device);
  const int across = (call.shape.width + kTile - 1) / kTile;
  const int down = (call.shape.height + kTile - 1) / kTile;
  start_kernel("deformable alignment",
               align_hopper_kernel<T, kChannels>,
               dim3(static_cast<unsigned>(multiprocessors)),
               kThreads,
               Shape<kChannels>::kSharedBytes,
               stream,
               call,
               across,
               across * down);
}

}  // namespace

template <typename T>
void align_hopper(const DeformAlignCall& call, gpu::StreamView stream) {
  if (call.shape.channels == 64) return start<T, 64>(call, stream);
  start<T, 32>(call, stream);
}

template void align_hopper<__half>(const DeformAlignCall&, gpu::StreamView);
template void align_hopper<__nv_bfloat16>(const DeformAlignCall&, gpu::StreamView);

}  // namespace vsr::kernels
